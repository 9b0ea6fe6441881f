/** The defaults that the API facts (or a CRD's schema) give fields; what a kind computes itself is not in here. */
import type { Json, JsonObject, Schema } from '../api/schema.ts';
import { cloneJson, isJsonObject } from './json.ts';

/** Schemas below which there is no default at all; found out once, since most of the API has none. */
const bare = new WeakSet<Schema>();
const known = new WeakSet<Schema>();

/** Whether anything below the schema has a default. */
function hasDefaults(schema: Schema): boolean {
  if (known.has(schema)) return !bare.has(schema);
  known.add(schema);
  // While its own fields are looked at, a recursive type counts as having defaults: that is only slower, never wrong.
  const found = lookForDefaults(schema);
  if (!found) bare.add(schema);
  return found;
}

function lookForDefaults(schema: Schema): boolean {
  switch (schema.kind) {
    case 'struct': {
      let found = false;
      for (const field of schema.fields.values()) {
        if (field.default !== undefined || hasDefaults(field.schema)) found = true;
      }
      return found;
    }
    case 'map':
      return hasDefaults(schema.values);
    case 'list':
      return hasDefaults(schema.items);
    default:
      return false;
  }
}

/**
 * The object with absent fields set to their defaults, in every struct that is present. `value` itself is not changed;
 * what needs no default is shared.
 */
export function applyDefaults<T extends Json>(value: T, schema: Schema): T {
  return (hasDefaults(schema) ? fill(value, schema) : value) as T;
}

function fill(value: Json, schema: Schema): Json {
  if (bare.has(schema)) return value;
  switch (schema.kind) {
    case 'struct':
      return isJsonObject(value) ? fillStruct(value, schema) : value;
    case 'map':
      return isJsonObject(value) ? fillMap(value, schema.values) : value;
    case 'list':
      return Array.isArray(value) ? fillList(value, schema.items) : value;
    default:
      return value;
  }
}

function fillStruct(value: JsonObject, schema: Schema & { kind: 'struct' }): JsonObject {
  let copy: JsonObject | undefined;
  for (const field of schema.fields.values()) {
    const present = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
    if (present === null && field.nullable === true) continue;
    const before = present ?? (field.default === undefined ? undefined : cloneJson(field.default));
    if (before === undefined) continue;
    const after = fill(before, field.schema);
    if (after !== present) {
      copy ??= { ...value };
      copy[field.name] = after;
    }
  }
  return copy ?? value;
}

function fillMap(value: JsonObject, values: Schema): JsonObject {
  let copy: JsonObject | undefined;
  for (const key of Object.keys(value)) {
    const before = value[key] ?? null;
    const after = fill(before, values);
    if (after !== before) {
      copy ??= { ...value };
      copy[key] = after;
    }
  }
  return copy ?? value;
}

function fillList(value: Json[], items: Schema): Json[] {
  let copy: Json[] | undefined;
  for (let index = 0; index < value.length; index++) {
    const before = value[index] ?? null;
    const after = fill(before, items);
    if (after !== before) {
      copy ??= [...value];
      copy[index] = after;
    }
  }
  return copy ?? value;
}
