/** The schemas of custom resources, which their definitions give (upstream: apiextensions-apiserver's openapi builder). */
import { schemaOf } from '../../api/facts.ts';
import type { Json, JsonObject } from '../../api/schema.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { described, openApiName, type SchemaWriter } from './openapi-schemas.ts';

const CONVENTIONS = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';

/** A custom resource's schema is named by its reversed group: `com.example.v1.Widget`. */
export function schemaName({ schema, type }: Descriptor, kind = type.kind): string {
  if (schema.name !== '') return openApiName(schema.name).replace(/[^.]+$/, kind);
  return `${type.group.split('.').reverse().join('.')}.${type.version}.${kind}`;
}

/** A reference to the published schema of a custom resource. */
export function customReference(descriptor: Descriptor, writer: SchemaWriter): JsonObject {
  const openapi = descriptor.openapi ?? {};
  return writer.define(schemaName(descriptor), () => {
    // Clients older than version 3 would take what is not told for what is not allowed.
    const isOpen = openapi['x-kubernetes-preserve-unknown-fields'] === true || openapi['properties'] === undefined;
    if (writer.version === 2 && isOpen) return { type: 'object' };
    const own = published(writer.version === 2 ? swaggerSchema(openapi) : openapi, writer);
    const properties = isJsonObject(own['properties']) ? own['properties'] : {};
    return { ...own, properties: { ...properties, ...whatEveryHas(writer, 'meta.v1.ObjectMeta') } };
  });
}

/** A reference to the schema of a list of them. */
export function customListReference(descriptor: Descriptor, writer: SchemaWriter): JsonObject {
  const { listKind, type } = descriptor;
  const items = customReference(descriptor, writer);
  return writer.define(schemaName(descriptor, listKind), () => ({
    description: `${listKind} is a list of ${type.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      items: { description: `List of ${type.resource}. More info: ${CONVENTIONS}`, type: 'array', items },
      ...whatEveryHas(writer, 'meta.v1.ListMeta', `Standard list metadata. More info: ${CONVENTIONS}#types-kinds`),
    },
  }));
}

const INT_OR_STRING: Json[] = [{ type: 'integer' }, { type: 'string' }];

/** A schema with what upstream adds: the types of int-or-string values, and what objects within the object have. */
function published(schema: JsonObject, writer: SchemaWriter): JsonObject {
  const out: JsonObject = { ...schema };
  const { properties, items, additionalProperties } = schema;
  if (isJsonObject(properties)) {
    const entries = Object.entries(properties).map(([name, child]) => [name, within(child, writer)]);
    out['properties'] = Object.fromEntries(entries) as JsonObject;
  }
  if (items !== undefined) out['items'] = within(items, writer);
  if (additionalProperties !== undefined) out['additionalProperties'] = within(additionalProperties, writer);
  if (writer.version === 3 && schema['x-kubernetes-int-or-string'] === true) out['anyOf'] ??= INT_OR_STRING;
  const isOpen = writer.version === 2 && schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema['x-kubernetes-embedded-resource'] !== true || isOpen) return out;
  const own = isJsonObject(out['properties']) ? out['properties'] : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const added = ['kind', 'apiVersion'].filter((name) => !required.includes(name));
  return { ...out, properties: { ...own, ...embedded(writer) }, required: [...required, ...added] };
}

const within = (child: Json | undefined, writer: SchemaWriter): Json =>
  isJsonObject(child) ? published(child, writer) : (child ?? null);

/** What every object says of itself, in the words for objects within others. */
function embedded(writer: SchemaWriter): JsonObject {
  const version = 'apiVersion defines the versioned schema of this representation of an object.';
  const kind = 'kind is a string value representing the type of this object. In CamelCase.';
  return {
    ...whatEveryHas(writer, 'meta.v1.ObjectMeta'),
    apiVersion: { description: `${version} More info: ${CONVENTIONS}#resources`, type: 'string' },
    kind: { description: `${kind} More info: ${CONVENTIONS}#types-kinds`, type: 'string' },
  };
}

function whatEveryHas(
  writer: SchemaWriter,
  metadata: string,
  // Any kind's text of it will do.
  about = writer.text('core.v1.Pod', 'metadata'),
): JsonObject {
  const text = (field: string): JsonObject => described(writer.text('', field));
  return {
    apiVersion: { ...text('apiVersion'), type: 'string' },
    kind: { ...text('kind'), type: 'string' },
    metadata: writer.wrapped({ ...described(about), ...writer.reference(schemaOf(metadata)) }),
  };
}

/** What clients of Swagger 2 cannot read. */
const NOT_IN_SWAGGER: ReadonlySet<string> = new Set(['allOf', 'oneOf', 'anyOf', 'not', 'nullable', 'default']);

/** The schema of a custom resource as Swagger 2 can tell it (upstream: ToStructuralOpenAPIV2). */
function swaggerSchema(schema: JsonObject): JsonObject {
  const out: JsonObject = {};
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const isOpaque = schema['nullable'] === true || keepsUnknown;
  for (const [key, value] of Object.entries(schema)) {
    if (NOT_IN_SWAGGER.has(key) || (isOpaque && (key === 'items' || key === 'properties'))) continue;
    if (key === 'properties' && isJsonObject(value)) {
      const entries = Object.entries(value).map(([name, child]) => [
        name,
        isJsonObject(child) ? swaggerSchema(child) : child,
      ]);
      out[key] = Object.fromEntries(entries) as JsonObject;
    } else if ((key === 'items' || key === 'additionalProperties') && isJsonObject(value)) {
      out[key] = swaggerSchema(value);
    } else out[key] = value;
  }
  const { type } = out;
  if (isOpaque && (schema['nullable'] === true || type === 'object')) delete out['type'];
  if (type === 'array' && out['items'] === undefined) delete out['type'];
  const { properties } = schema;
  if (Array.isArray(out['required']) && isJsonObject(properties)) {
    const mayBeNull = (name: unknown): boolean => {
      const child = properties[String(name)];
      return isJsonObject(child) && child['nullable'] === true;
    };
    out['required'] = out['required'].filter((name) => !mayBeNull(name));
  }
  return out;
}
