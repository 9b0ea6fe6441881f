import type { Json, JsonObject } from '../../api/schema.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import { WIRE, WireWriter } from '../../apimachinery/protobuf/wire.ts';

/** How one JSON field is written. */
type Field =
  | { readonly number: number; readonly as: 'string' | 'strings' | 'bool' | 'yaml' | 'yamls' | 'parameters' | 'type' }
  | MessageField
  | NamedField;

interface MessageField {
  readonly number: number;
  readonly as: 'message' | 'messages';
  /** Fields of messages around the value that JSON does not have. */
  readonly path?: readonly number[];
  readonly message: () => Message;
}

/** A JSON object whose entries become messages, numbered `entry`, of a name and a value. */
interface NamedField {
  readonly number: number;
  readonly as: 'named';
  readonly entry: number;
  readonly path?: readonly number[];
  readonly message: () => Message;
}

interface Message {
  readonly fields: Readonly<Record<string, Field>>;
  /** The field that takes what begins with `x-`. */
  readonly extensions?: number;
}

const NAME = 1;
const VALUE = 2;

const SCHEMA: Message = {
  fields: {
    $ref: { number: 1, as: 'string' },
    format: { number: 2, as: 'string' },
    description: { number: 4, as: 'string' },
    default: { number: 5, as: 'yaml' },
    required: { number: 19, as: 'strings' },
    enum: { number: 20, as: 'yamls' },
    additionalProperties: { number: 21, as: 'message', path: [1], message: () => SCHEMA },
    type: { number: 22, as: 'type' },
    items: { number: 23, as: 'message', path: [1], message: () => SCHEMA },
    allOf: { number: 24, as: 'messages', message: () => SCHEMA },
    properties: { number: 25, as: 'named', entry: 1, message: () => SCHEMA },
  },
  extensions: 31,
};

const QUERY_PARAMETER: Message = {
  fields: {
    in: { number: 2, as: 'string' },
    description: { number: 3, as: 'string' },
    name: { number: 4, as: 'string' },
    type: { number: 6, as: 'string' },
    uniqueItems: { number: 20, as: 'bool' },
  },
};

const BODY_PARAMETER: Message = {
  fields: {
    description: { number: 1, as: 'string' },
    name: { number: 2, as: 'string' },
    in: { number: 3, as: 'string' },
    required: { number: 4, as: 'bool' },
    schema: { number: 5, as: 'message', message: () => SCHEMA },
  },
};

const RESPONSE: Message = {
  fields: {
    description: { number: 1, as: 'string' },
    schema: { number: 2, as: 'message', path: [1], message: () => SCHEMA },
  },
};

const OPERATION: Message = {
  fields: {
    tags: { number: 1, as: 'strings' },
    operationId: { number: 5, as: 'string' },
    consumes: { number: 7, as: 'strings' },
    parameters: { number: 8, as: 'parameters' },
    // A response is one of two: a response proper or a reference to one.
    responses: { number: 9, as: 'named', entry: 1, path: [1], message: () => RESPONSE },
  },
  extensions: 13,
};

const PATH_ITEM: Message = {
  fields: {
    get: { number: 2, as: 'message', message: () => OPERATION },
    put: { number: 3, as: 'message', message: () => OPERATION },
    post: { number: 4, as: 'message', message: () => OPERATION },
    delete: { number: 5, as: 'message', message: () => OPERATION },
    options: { number: 6, as: 'message', message: () => OPERATION },
    head: { number: 7, as: 'message', message: () => OPERATION },
    patch: { number: 8, as: 'message', message: () => OPERATION },
  },
};

const INFO: Message = { fields: { title: { number: 1, as: 'string' }, version: { number: 2, as: 'string' } } };

const DOCUMENT: Message = {
  fields: {
    swagger: { number: 1, as: 'string' },
    info: { number: 2, as: 'message', message: () => INFO },
    paths: { number: 8, as: 'named', entry: 2, message: () => PATH_ITEM },
    definitions: { number: 9, as: 'named', entry: 1, message: () => SCHEMA },
  },
};

/**
 * A Swagger 2 document in the protobuf form of openapi.v2 (gnostic-models), the only one that kubectl reads: it judges
 * lists by it, and kinds whose schema it finds in no OpenAPI 3 document. Throws TypeError for a field that has no place.
 */
export function encodeSwagger(document: JsonObject): Buffer {
  const writer = new WireWriter();
  writeFields(writer, document, DOCUMENT);
  return writer.finish();
}

function writeFields(writer: WireWriter, object: JsonObject, message: Message): void {
  for (const [name, value = null] of Object.entries(object)) {
    const field = message.fields[name];
    if (field !== undefined) writeField(writer, field, value);
    else if (name.startsWith('x-') && message.extensions !== undefined) {
      nested(writer, message.extensions, () => {
        text(writer, NAME, name);
        nested(writer, VALUE, () => yaml(writer, value));
      });
    } else throw new TypeError(`OpenAPI field ${name} has no protobuf form`);
  }
}

function writeField(writer: WireWriter, field: Field, value: Json): void {
  const { number } = field;
  switch (field.as) {
    case 'string':
      text(writer, number, String(value));
      break;
    case 'strings':
      for (const item of listOf(value)) text(writer, number, String(item));
      break;
    case 'bool':
      writer.tag(number, WIRE.varint);
      writer.uint(value === true ? 1 : 0);
      break;
    case 'yaml':
      nested(writer, number, () => yaml(writer, value));
      break;
    case 'yamls':
      for (const item of listOf(value)) nested(writer, number, () => yaml(writer, item));
      break;
    case 'message':
      messageAt(writer, [number, ...(field.path ?? [])], value, field.message());
      break;
    case 'messages':
      for (const item of listOf(value)) messageAt(writer, [number], item, field.message());
      break;
    case 'named':
      nested(writer, number, () => writeNamed(writer, field, objectOf(value)));
      break;
    case 'parameters':
      for (const item of listOf(value)) {
        // ParametersItem → Parameter → BodyParameter, or NonBodyParameter → QueryParameterSubSchema.
        if (objectOf(item)['in'] === 'body') messageAt(writer, [number, 1, 1], item, BODY_PARAMETER);
        else messageAt(writer, [number, 1, 2, 3], item, QUERY_PARAMETER);
      }
      break;
    case 'type':
      nested(writer, number, () => text(writer, 1, String(value)));
      break;
  }
}

function writeNamed(writer: WireWriter, field: NamedField, entries: JsonObject): void {
  for (const [name, value = null] of Object.entries(entries)) {
    nested(writer, field.entry, () => {
      text(writer, NAME, name);
      messageAt(writer, [VALUE, ...(field.path ?? [])], value, field.message());
    });
  }
}

/** Writes `value` as the message at the end of a path of fields, each of which is in the message of the one before. */
function messageAt(writer: WireWriter, [number, ...rest]: readonly number[], value: Json, message: Message): void {
  if (number === undefined) writeFields(writer, objectOf(value), message);
  else nested(writer, number, () => messageAt(writer, rest, value, message));
}

function text(writer: WireWriter, number: number, value: string): void {
  writer.tag(number, WIRE.bytes);
  writer.string(value);
}

/** An `Any`, which carries its value as YAML; JSON is YAML. */
function yaml(writer: WireWriter, value: Json): void {
  text(writer, 2, `${JSON.stringify(value)}\n`);
}

function nested(writer: WireWriter, number: number, write: () => void): void {
  writer.tag(number, WIRE.bytes);
  const start = writer.begin();
  write();
  writer.end(start);
}

function listOf(value: Json): readonly Json[] {
  if (!Array.isArray(value)) throw new TypeError('a list is expected');
  return value;
}

function objectOf(value: Json): JsonObject {
  if (!isJsonObject(value)) throw new TypeError('an object is expected');
  return value;
}
