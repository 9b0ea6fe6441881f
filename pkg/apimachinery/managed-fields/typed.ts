/** What the Schema says about a value for server-side apply: owned as a whole, or field by field. */
import { anySchema, type Json, type JsonObject, type ListSchema, type Schema } from '../../api/schema.ts';
import { isJsonObject } from '../json.ts';

/** A value that cannot be addressed field by field (a list item without its key, an undeclared field). */
export class TypedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TypedError';
  }
}

/** Owned as one value: scalars, atomic structs, maps and lists, and JSON that a built-in kind carries along. */
export function isAtomic(schema: Schema): boolean {
  switch (schema.kind) {
    case 'scalar':
      return true;
    case 'struct':
    case 'map':
      return schema.atomic;
    case 'list':
      return schema.listType === 'atomic';
    default:
      return schema.form !== undefined;
  }
}

/** The Schema of a field or entry; undefined when the struct does not declare it. */
export function childSchema(schema: Schema, key: string): Schema | undefined {
  switch (schema.kind) {
    case 'struct':
      return schema.fields.get(key)?.schema ?? (schema.preserveUnknown ? anySchema : undefined);
    case 'map':
      return schema.values;
    default:
      return anySchema;
  }
}

/** How a value that is not atomic divides: into fields, into keyed items, or, for lists in free JSON, not at all. */
export function divides(schema: Schema, value: Json | undefined): 'fields' | 'items' | 'whole' {
  if (isAtomic(schema)) return 'whole';
  if (schema.kind === 'list') return Array.isArray(value) ? 'items' : 'whole';
  return isJsonObject(value) ? 'fields' : 'whole';
}

/** The path element of a list item. Throws TypedError when the item lacks a key. */
export function itemElement(item: Json, schema: ListSchema): string {
  if (schema.listType === 'set') {
    if (typeof item === 'object' && item !== null)
      throw new TypedError('associative list without keys has an element that is not a scalar');
    return `v:${JSON.stringify(item)}`;
  }
  if (!isJsonObject(item)) throw new TypedError('associative list with keys may not have non-map elements');
  const keys: string[] = [];
  for (const key of sortedKeys(schema)) {
    const value = item[key] ?? (schema.items.kind === 'struct' ? schema.items.fields.get(key)?.default : undefined);
    if (value === undefined) {
      throw new TypedError(
        `associative list with keys has an element that omits key field ${JSON.stringify(key)} (and doesn't have default value)`,
      );
    }
    keys.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
  }
  return `k:{${keys.join(',')}}`;
}

const keyOrders = new WeakMap<ListSchema, readonly string[]>();

function sortedKeys(schema: ListSchema): readonly string[] {
  let keys = keyOrders.get(schema);
  if (keys === undefined) {
    keys = [...schema.mapKeys].sort();
    keyOrders.set(schema, keys);
  }
  return keys;
}

/** The items of a list by their elements, in order; several of one element stand together. */
export function itemsByElement(list: readonly Json[], schema: ListSchema): Map<string, Json[]> {
  const items = new Map<string, Json[]>();
  for (const item of list) {
    const element = itemElement(item, schema);
    const same = items.get(element);
    if (same === undefined) items.set(element, [item]);
    else same.push(item);
  }
  return items;
}

export const isVacant = (value: Json | undefined): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) ? value.length === 0 : isJsonObject(value) && Object.keys(value).length === 0);

export const objectOf = (value: Json | undefined): JsonObject | undefined => (isJsonObject(value) ? value : undefined);

/** Refuses values of another type than the Schema's, naming the first (structured-merge-diff's validation). */
export function checkTypes(value: Json, schema: Schema, path = ''): void {
  // Null is as good as nothing, whatever belongs there.
  if (value === null) return;
  const expected = expectedType(value, schema);
  if (expected !== undefined) throw new TypedError(`${path}: expected ${expected}, got ${typeName(value)}`);
  if (schema.kind === 'list' && Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      checkTypes(item, schema.items, `${path}[${schema.listType === 'atomic' ? index : listElement(item, schema)}]`);
    }
  } else if (isJsonObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      const below = childSchema(schema, key);
      if (below !== undefined && item !== undefined) checkTypes(item, below, `${path}.${key}`);
    }
  }
}

/** How a path names an item of a set or a map list: by its value or its keys. */
function listElement(item: Json, schema: ListSchema): string {
  const element = itemElement(item, schema);
  if (element.startsWith('v:')) return `=${element.slice(2)}`;
  const keys = JSON.parse(element.slice(2)) as JsonObject;
  return Object.entries(keys)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(',');
}

const SCALARS: Readonly<Record<string, readonly [type: string, told: string]>> = {
  string: ['string', 'string'],
  int64: ['number', 'numeric (int or float)'],
  double: ['number', 'numeric (int or float)'],
  boolean: ['boolean', 'boolean'],
};

/** What was expected, when `value` is something else. */
function expectedType(value: Json, schema: Schema): string | undefined {
  switch (schema.kind) {
    case 'struct':
    case 'map':
      return isJsonObject(value) ? undefined : 'map';
    case 'list':
      return Array.isArray(value) ? undefined : 'list';
    case 'scalar': {
      const [type, told] = SCALARS[schema.type] ?? [];
      return type === undefined || typeof value === type ? undefined : told;
    }
    default:
      return undefined;
  }
}

function typeName(value: Json): string {
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  return typeof value === 'object' ? 'map' : typeof value;
}
