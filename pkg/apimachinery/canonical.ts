/**
 * The stored form of an object: keys in the Schema's order, zero values left out or written as Go's encoder would.
 * Run once, on what is about to be stored; decoding and defaulting work on looser objects.
 */
import type { FieldSchema, Json, JsonObject, Schema, StructSchema } from '../api/schema.ts';
import { isJsonObject, setKey, sortedKeys } from './json.ts';

/**
 * A new object in stored form. Unknown fields are dropped, unless the Schema preserves them. With `stored`, empty lists
 * that are always written become null, as they come back from upstream's storage (protobuf knows no difference).
 */
export function canonicalize(value: JsonObject, schema: StructSchema, stored = false): JsonObject {
  const result: JsonObject = {};
  for (const field of fieldsOf(schema)) {
    const item = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
    // In a custom resource null is a value like others: its schema has said whether the field may have it.
    const absent = item === undefined || (item === null && schema.name !== '');
    if (absent && field.zero !== 'emit' && field.zero !== 'null') continue;
    const canonical = absent ? zeroOf(field) : canonicalValue(item, field.schema, stored);
    if (stored && field.zero === 'emit' && isEmptyList(canonical) && schema.name !== '') {
      result[field.name] = null;
      continue;
    }
    if (canonical === undefined || (field.zero === 'drop' && isZero(canonical, field.schema))) continue;
    result[field.name] = canonical;
  }
  if (schema.preserveUnknown) {
    for (const key of Object.keys(value)) {
      const item = value[key];
      if (item !== undefined && !schema.fields.has(key)) setKey(result, key, item);
    }
  }
  return result;
}

const fieldLists = new WeakMap<StructSchema, readonly FieldSchema[]>();

/** The fields as a list, which is walked in half the time a map is. */
function fieldsOf(schema: StructSchema): readonly FieldSchema[] {
  let list = fieldLists.get(schema);
  if (list === undefined) {
    list = [...schema.fields.values()];
    fieldLists.set(schema, list);
  }
  return list;
}

function canonicalValue(value: Json, schema: Schema, stored: boolean): Json {
  switch (schema.kind) {
    case 'struct':
      // The metadata of an object within a custom resource is there as soon as it is named.
      if (value === null && schema.name !== '') return {};
      return isJsonObject(value) ? canonicalize(value, schema, stored) : value;
    case 'list':
      return Array.isArray(value) ? value.map((item) => canonicalValue(item, schema.items, stored)) : value;
    case 'map': {
      if (!isJsonObject(value)) return value;
      const result: JsonObject = {};
      for (const key of sortedKeys(value))
        setKey(result, key, canonicalValue(value[key] ?? null, schema.values, stored));
      return result;
    }
    default:
      return value;
  }
}

/** What an absent field is written as; undefined when it is left out. */
function zeroOf(field: FieldSchema): Json | undefined {
  if (field.zero === 'null') return null;
  if (field.zero !== 'emit') return undefined;
  const { schema } = field;
  if (schema.kind === 'struct') return canonicalize({}, schema);
  if (schema.kind !== 'scalar') return null;
  switch (schema.type) {
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0;
    case 'quantity':
      return '0';
    case 'duration':
      return '0s';
    case 'string':
      return '';
    default:
      return null;
  }
}

function isZero(value: Json, schema: Schema): boolean {
  if (value === '' || value === 0 || value === false || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return schema.kind === 'map' && isJsonObject(value) && Object.keys(value).length === 0;
}

const isEmptyList = (value: Json | undefined): boolean => Array.isArray(value) && value.length === 0;
