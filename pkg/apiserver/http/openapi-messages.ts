/** The messages of openapi.v2 and openapi.v3 (gnostic-models), as far as the documents served here reach. */
import type { JsonObject } from '../../api/schema.ts';
import { encodeMessage, type Field, type Message } from './openapi-protobuf.ts';

/**
 * A Swagger 2 document in protobuf, the only form of it that kubectl reads: it judges lists by it, and kinds whose
 * schema it finds in no OpenAPI 3 document. Throws TypeError for a field that has no place.
 */
export const encodeSwagger = (document: JsonObject): Buffer => encodeMessage(document, SWAGGER);

/** An OpenAPI 3 document in protobuf. Throws TypeError for a field that has no place. */
export const encodeOpenApi = (document: JsonObject): Buffer => encodeMessage(document, OPENAPI);

type Fields = Readonly<Record<string, Field>>;

const strings = (names: Readonly<Record<string, number>>): Fields =>
  Object.fromEntries(Object.entries(names).map(([name, number]) => [name, { number, as: 'string' }]));

const messages = (message: () => Message, names: Readonly<Record<string, number>>, path?: readonly number[]): Fields =>
  Object.fromEntries(
    Object.entries(names).map(([name, number]) => [
      name,
      { number, as: 'message', message, ...(path === undefined ? {} : { path }) },
    ]),
  );

/** Bounds of values, which have their numbers one after the other. */
function bounds(first: number): Fields {
  const kinds = { double: 'double', bool: 'bool', integer: 'integer' } as const;
  const names: readonly (readonly [string, keyof typeof kinds | 'string'])[] = [
    ['multipleOf', 'double'],
    ['maximum', 'double'],
    ['exclusiveMaximum', 'bool'],
    ['minimum', 'double'],
    ['exclusiveMinimum', 'bool'],
    ['maxLength', 'integer'],
    ['minLength', 'integer'],
    ['pattern', 'string'],
    ['maxItems', 'integer'],
    ['minItems', 'integer'],
    ['uniqueItems', 'bool'],
    ['maxProperties', 'integer'],
    ['minProperties', 'integer'],
  ];
  return Object.fromEntries(names.map(([name, as], index) => [name, { number: first + index, as }]));
}

const EXTERNAL_DOCS: Message = { fields: strings({ description: 1, url: 2 }) };

const SCHEMA: Message = {
  fields: {
    ...strings({ $ref: 1, format: 2, title: 3, description: 4 }),
    default: { number: 5, as: 'yaml' },
    ...bounds(6),
    required: { number: 19, as: 'strings' },
    enum: { number: 20, as: 'yamls' },
    additionalProperties: { number: 21, as: 'flag', path: [1], message: () => SCHEMA },
    type: { number: 22, as: 'type' },
    items: { number: 23, as: 'message', path: [1], message: () => SCHEMA },
    allOf: { number: 24, as: 'messages', message: () => SCHEMA },
    properties: { number: 25, as: 'named', entry: 1, message: () => SCHEMA },
    externalDocs: { number: 29, as: 'message', message: () => EXTERNAL_DOCS },
    example: { number: 30, as: 'yaml' },
  },
  extensions: 31,
};

const REFERENCE: Message = { fields: strings({ $ref: 1 }) };

/** Numbers of the places a parameter has, as the query and the path number them differently. */
const QUERY = 3;
const PATH = 4;

/** A parameter of a body, of the query or of the path: three messages, told apart by where they are. */
const PARAMETER: Message = {
  fields: {},
  around: ({ in: place }) => (place === 'body' ? [1] : [2, place === 'path' ? PATH : QUERY]),
  variant: ({ in: place }) => {
    if (place === 'body') {
      return {
        ...strings({ description: 1, name: 2, in: 3 }),
        required: { number: 4, as: 'bool' },
        ...messages(() => SCHEMA, { schema: 5 }),
      };
    }
    // The query has one field more, before the type.
    const after = place === 'path' ? 0 : 1;
    return {
      required: { number: 1, as: 'bool' },
      ...strings({ in: 2, description: 3, name: 4, type: 5 + after }),
      uniqueItems: { number: 19 + after, as: 'bool' },
    };
  },
};

/** A parameter or a reference to one. */
const PARAMETER_ITEM: Message = {
  ...PARAMETER,
  around: (value) => ('$ref' in value ? [2] : [1, ...(PARAMETER.around?.(value) ?? [])]),
  reference: REFERENCE,
};

const RESPONSE: Message = {
  fields: { ...strings({ description: 1 }), ...messages(() => SCHEMA, { schema: 2 }, [1]) },
};

const OPERATION: Message = {
  fields: {
    tags: { number: 1, as: 'strings' },
    ...strings({ description: 3, operationId: 5 }),
    produces: { number: 6, as: 'strings' },
    consumes: { number: 7, as: 'strings' },
    parameters: { number: 8, as: 'messages', message: () => PARAMETER_ITEM },
    // A response is one of two: a response proper or a reference to one.
    responses: { number: 9, as: 'named', entry: 1, path: [1], message: () => RESPONSE },
    schemes: { number: 10, as: 'strings' },
  },
  extensions: 13,
};

const PATH_ITEM: Message = {
  fields: {
    ...messages(() => OPERATION, { get: 2, put: 3, post: 4, delete: 5, options: 6, head: 7, patch: 8 }),
    parameters: { number: 9, as: 'messages', message: () => PARAMETER_ITEM },
  },
};

const SECURITY: Message = { fields: { BearerToken: { number: 1, as: 'scopes' } } };

const SWAGGER: Message = {
  fields: {
    ...strings({ swagger: 1 }),
    ...messages(() => ({ fields: strings({ title: 1, version: 2 }) }), { info: 2 }),
    paths: { number: 8, as: 'named', entry: 2, message: () => PATH_ITEM },
    definitions: { number: 9, as: 'named', entry: 1, message: () => SCHEMA },
    parameters: { number: 10, as: 'named', entry: 1, message: () => PARAMETER },
    security: { number: 12, as: 'messages', message: () => SECURITY },
    securityDefinitions: {
      number: 13,
      as: 'named',
      entry: 1,
      path: [2],
      message: () => ({ fields: strings({ type: 1, name: 2, in: 3, description: 4 }) }),
    },
  },
};

/** In version 3 most things may be references instead. */
const orReference = (message: Message): Message => ({
  ...message,
  around: (value) => ['$ref' in value ? 2 : 1],
  reference: REFERENCE,
});

const PLAIN_SCHEMA_V3: Message = {
  fields: {
    nullable: { number: 1, as: 'bool' },
    externalDocs: { number: 6, as: 'message', message: () => EXTERNAL_DOCS },
    example: { number: 7, as: 'yaml' },
    ...strings({ title: 9, type: 25, description: 34, format: 35 }),
    ...bounds(10),
    required: { number: 23, as: 'strings' },
    enum: { number: 24, as: 'yamls' },
    allOf: { number: 26, as: 'messages', message: () => SCHEMA_V3 },
    oneOf: { number: 27, as: 'messages', message: () => SCHEMA_V3 },
    anyOf: { number: 28, as: 'messages', message: () => SCHEMA_V3 },
    not: { number: 29, as: 'message', message: () => PLAIN_SCHEMA_V3 },
    items: { number: 30, as: 'message', path: [1], message: () => SCHEMA_V3 },
    properties: { number: 31, as: 'named', entry: 1, message: () => SCHEMA_V3 },
    additionalProperties: { number: 32, as: 'flag', path: [1], message: () => SCHEMA_V3 },
    default: { number: 33, as: 'simple' },
  },
  extensions: 36,
};
const SCHEMA_V3 = orReference(PLAIN_SCHEMA_V3);

const CONTENT: Field = {
  number: 0,
  as: 'named',
  entry: 1,
  message: () => ({ fields: messages(() => SCHEMA_V3, { schema: 1 }) }),
};

const PARAMETER_V3 = orReference({
  fields: {
    ...strings({ name: 1, in: 2, description: 3 }),
    required: { number: 4, as: 'bool' },
    ...messages(() => SCHEMA_V3, { schema: 10 }),
  },
});

const BODY_V3 = orReference({
  fields: { ...strings({ description: 1 }), content: { ...CONTENT, number: 2 }, required: { number: 3, as: 'bool' } },
});

const RESPONSE_V3 = orReference({ fields: { ...strings({ description: 1 }), content: { ...CONTENT, number: 3 } } });

const OPERATION_V3: Message = {
  fields: {
    tags: { number: 1, as: 'strings' },
    ...strings({ description: 3, operationId: 5 }),
    parameters: { number: 6, as: 'messages', message: () => PARAMETER_V3 },
    ...messages(() => BODY_V3, { requestBody: 7 }),
    responses: { number: 8, as: 'named', entry: 2, message: () => RESPONSE_V3 },
  },
  extensions: 13,
};

const PATH_ITEM_V3: Message = {
  fields: {
    ...messages(() => OPERATION_V3, { get: 4, put: 5, post: 6, delete: 7, options: 8, head: 9, patch: 10 }),
    parameters: { number: 13, as: 'messages', message: () => PARAMETER_V3 },
  },
};

const SECURITY_SCHEME = orReference({ fields: strings({ type: 1, description: 2, name: 3, in: 4 }) });

const COMPONENTS: Message = {
  fields: {
    schemas: { number: 1, as: 'named', entry: 1, message: () => SCHEMA_V3 },
    securitySchemes: { number: 7, as: 'named', entry: 1, message: () => SECURITY_SCHEME },
  },
};

const OPENAPI: Message = {
  fields: {
    ...strings({ openapi: 1 }),
    ...messages(() => ({ fields: strings({ title: 1, version: 6 }) }), { info: 2 }),
    paths: { number: 4, as: 'named', entry: 1, message: () => PATH_ITEM_V3 },
    ...messages(() => COMPONENTS, { components: 5 }),
  },
};
