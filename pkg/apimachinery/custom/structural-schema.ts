/** The Schema of custom resources, made of the OpenAPI schema of their definition (a structural one). */
import type { JSONSchemaProps } from '../../api/generated/apiextensions-v1.ts';
import {
  anySchema,
  type FieldSchema,
  type Json,
  type Schema,
  type StructSchema,
  shallowSchema,
} from '../../api/schema.ts';
import { isJsonObject } from '../json.ts';

/** The schema of list items; the form with a list of schemas is not structural. */
export const itemsOf = (props: JSONSchemaProps): JSONSchemaProps | undefined =>
  isJsonObject(props.items as Json | undefined) ? (props.items as JSONSchemaProps) : undefined;

/** What values of free keys have to be like: a schema, anything (`true`), or undefined where there are none. */
export function additionalOf(props: JSONSchemaProps): JSONSchemaProps | true | undefined {
  const additional = props.additionalProperties;
  if (additional === true) return true;
  return isJsonObject(additional as Json | undefined) ? (additional as JSONSchemaProps) : undefined;
}

/** `props` as a Schema; `metadata` is the Schema of object metadata, which every (embedded) object has. */
export function structuralSchema(props: JSONSchemaProps, metadata: Schema): Schema {
  if (props['x-kubernetes-int-or-string'] === true) return { kind: 'scalar', type: 'intOrString' };
  if (props['x-kubernetes-embedded-resource'] === true) return structOf(props, metadata, true);
  switch (props.type) {
    case 'string':
      return { kind: 'scalar', type: 'string' };
    case 'integer':
      return { kind: 'scalar', type: 'int64' };
    case 'number':
      return { kind: 'scalar', type: 'double' };
    case 'boolean':
      return { kind: 'scalar', type: 'boolean' };
    case 'array':
      return listOf(props, metadata);
    case 'object':
      return objectOf(props, metadata);
    default:
      return anySchema;
  }
}

/** The Schema of the custom resource itself: what its definition says, with kind, apiVersion and metadata. */
export function rootSchema(props: JSONSchemaProps, metadata: Schema): StructSchema {
  return structOf(props, metadata, true);
}

function listOf(props: JSONSchemaProps, metadata: Schema): Schema {
  const items = itemsOf(props);
  const type = props['x-kubernetes-list-type'];
  return {
    kind: 'list',
    items: items === undefined ? anySchema : structuralSchema(items, metadata),
    listType: type === 'set' || type === 'map' ? type : 'atomic',
    mapKeys: props['x-kubernetes-list-map-keys'] ?? [],
    wrapped: false,
  };
}

function objectOf(props: JSONSchemaProps, metadata: Schema): Schema {
  const additional = additionalOf(props);
  if (additional === undefined) return structOf(props, metadata, false);
  const atomic = props['x-kubernetes-map-type'] === 'atomic';
  if (additional === true) return { kind: 'map', values: shallowSchema, atomic };
  const nullable = additional.nullable === true;
  return { kind: 'map', values: structuralSchema(additional, metadata), atomic, ...(nullable && { nullable }) };
}

function structOf(props: JSONSchemaProps, metadata: Schema, isObject: boolean): StructSchema {
  const required = new Set(props.required ?? []);
  const field = (name: string, schema: Schema, given: JSONSchemaProps = {}): [string, FieldSchema] => [
    name,
    {
      name,
      schema,
      required: required.has(name),
      number: 0,
      zero: 'keep',
      ...(given.default !== undefined && { default: given.default as Json }),
      ...(given.nullable === true && { nullable: true }),
    },
  ];
  const own = Object.entries(props.properties ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const fields = new Map(own.map(([name, given]) => field(name, structuralSchema(given, metadata), given)));
  if (isObject) {
    const string: Schema = { kind: 'scalar', type: 'string' };
    for (const [name, schema] of [
      ['apiVersion', string],
      ['kind', string],
      ['metadata', metadata],
    ] as const) {
      fields.set(...field(name, schema));
    }
  }
  return {
    kind: 'struct',
    name: '',
    fields,
    atomic: props['x-kubernetes-map-type'] === 'atomic',
    preserveUnknown: props['x-kubernetes-preserve-unknown-fields'] === true,
    inlined: [],
    ...(isObject && { embedded: true }),
  };
}
