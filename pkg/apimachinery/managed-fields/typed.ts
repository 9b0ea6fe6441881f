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

/** The path element of a list item: of the keys it has. Throws TypedError when the item has no identity. */
export function itemElement(item: Json, schema: ListSchema): string {
  if (schema.listType === 'set') {
    if (Array.isArray(item)) throw new TypedError('not supported: associative list with lists as elements');
    if (typeof item !== 'object') return `v:${JSON.stringify(item)}`;
    const what = item === null ? 'an explicit null' : 'a map type';
    throw new TypedError(`associative list without keys has an element that's ${what}`);
  }
  if (!isJsonObject(item)) {
    const what = item === null ? 'a null element' : 'non-map elements';
    throw new TypedError(`associative list with keys may not have ${what}`);
  }
  const keys: string[] = [];
  for (const key of sortedKeys(schema)) {
    const value = item[key] ?? (schema.items.kind === 'struct' ? schema.items.fields.get(key)?.default : undefined);
    if (value !== undefined) keys.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
  }
  if (keys.length > 0) return `k:{${keys.join(',')}}`;
  const names = schema.mapKeys.map((key) => JSON.stringify(key)).join(' ');
  throw new TypedError(
    `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
  );
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
