/** What changed between two versions of an object, as sets of fields. */
import type { Json, JsonObject, ListSchema, Schema } from '../../api/schema.ts';
import { anySchema } from '../../api/schema.ts';
import { deepEqual } from '../deep-equal.ts';
import {
  EMPTY_SET,
  type FieldSet,
  fieldElement,
  isEmptySet,
  LEAF,
  type MutableFieldSet,
  makeNode,
  recursiveDifference,
} from './field-set.ts';
import { childSchema, isAtomic, isVacant, itemsByElement, objectOf } from './typed.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Change = 'added' | 'modified' | 'removed';
type Diff = Partial<Record<Change, FieldSet>>;

/** Compares two values; cost grows with their size, memory only with their differences. Throws TypedError. */
export function compare(before: Json, after: Json, schema: Schema): Comparison {
  const diff = compareValues(before, after, schema);
  return {
    added: diff?.added ?? EMPTY_SET,
    modified: diff?.modified ?? EMPTY_SET,
    removed: diff?.removed ?? EMPTY_SET,
  };
}

/** The comparison without the fields that are reset anyway (and what lies below them). */
export function excludeFields(comparison: Comparison, fields: FieldSet): Comparison {
  return {
    added: recursiveDifference(comparison.added, fields),
    modified: recursiveDifference(comparison.modified, fields),
    removed: recursiveDifference(comparison.removed, fields),
  };
}

export function isUnchanged({ added, modified, removed }: Comparison): boolean {
  return isEmptySet(added) && isEmptySet(modified) && isEmptySet(removed);
}

/** Collects the differences below a node. */
class Collector {
  #sets: Partial<Record<Change, MutableFieldSet>> | undefined;

  put(element: string, diff: Diff | undefined): void {
    if (diff === undefined) return;
    this.#sets ??= {};
    for (const change of ['added', 'modified', 'removed'] as const) {
      const node = diff[change];
      if (node === undefined) continue;
      this.#sets[change] ??= {};
      this.#sets[change][element] = node;
    }
  }

  get diff(): Diff | undefined {
    return this.#sets;
  }

  /** The differences with the node itself as modified. */
  get diffOfModified(): Diff {
    const diff: Diff = this.#sets ?? {};
    const node = makeNode(true, this.#sets?.modified);
    if (node !== undefined) diff.modified = node;
    return diff;
  }
}

function compareWhole(before: Json, after: Json): Diff | undefined {
  return deepEqual(before, after) ? undefined : { modified: LEAF };
}

function compareValues(before: Json | undefined, after: Json | undefined, schema: Schema): Diff | undefined {
  if (before === after) return undefined;
  if (before === undefined) return after === undefined ? undefined : { added: fieldsOf(after, schema) };
  if (after === undefined) return { removed: fieldsOf(before, schema) };
  // Two empty values are one leaf, which keeps "empty" and "absent" apart.
  if (isAtomic(schema) || (isVacant(before) && isVacant(after))) return compareWhole(before, after);
  const collector = new Collector();
  if (schema.kind === 'list') {
    const fits = (value: Json): boolean => value === null || Array.isArray(value);
    if (!fits(before) || !fits(after)) return compareWhole(before, after);
    compareItems(before, after, schema, collector);
    return collector.diff;
  }
  const left = objectOf(before);
  const right = objectOf(after);
  if ((left === undefined && before !== null) || (right === undefined && after !== null)) {
    // In free JSON an object may make way for something else, or the other way round.
    if (deepEqual(before, after)) return undefined;
    compareFields(left, right, schema, collector);
    return collector.diffOfModified;
  }
  compareFields(left, right, schema, collector);
  return collector.diff;
}

function compareFields(
  left: JsonObject | undefined,
  right: JsonObject | undefined,
  schema: Schema,
  collector: Collector,
): void {
  for (const key in right) {
    const item = right[key];
    if (item === undefined) continue;
    const old = left !== undefined && Object.hasOwn(left, key) ? left[key] : undefined;
    collector.put(fieldElement(key), compareValues(old, item, childSchema(schema, key) ?? anySchema));
  }
  for (const key in left) {
    const item = left[key];
    if (item === undefined || (right !== undefined && Object.hasOwn(right, key) && right[key] !== undefined)) continue;
    collector.put(fieldElement(key), compareValues(item, undefined, childSchema(schema, key) ?? anySchema));
  }
}

/** All fields of a value that comes or goes as a whole, itself among them. */
function fieldsOf(value: Json, schema: Schema): FieldSet {
  if (isAtomic(schema) || isVacant(value)) return LEAF;
  const children: MutableFieldSet = {};
  if (schema.kind === 'list') {
    if (!Array.isArray(value)) return LEAF;
    for (const [element, items] of itemsByElement(value, schema)) {
      const [only] = items;
      children[element] = items.length > 1 || only === undefined ? LEAF : fieldsOf(only, schema.items);
    }
  } else {
    const object = objectOf(value);
    if (object === undefined) return LEAF;
    for (const key in object) {
      const item = object[key];
      if (item === undefined) continue;
      children[fieldElement(key)] = fieldsOf(item, childSchema(schema, key) ?? anySchema);
    }
  }
  return makeNode(true, children) ?? LEAF;
}

function compareItems(before: Json, after: Json, schema: ListSchema, collector: Collector): void {
  const left = itemsByElement(Array.isArray(before) ? before : [], schema);
  const right = itemsByElement(Array.isArray(after) ? after : [], schema);
  for (const [element, items] of right) collector.put(element, compareSame(left.get(element), items, schema));
  for (const [element, items] of left) {
    if (!right.has(element)) collector.put(element, compareSame(items, undefined, schema));
  }
}

/** Items of one element; where there are several on a side they can only be compared whole. */
function compareSame(before: Json[] | undefined, after: Json[] | undefined, schema: ListSchema): Diff | undefined {
  if ((before?.length ?? 1) > 1 || (after?.length ?? 1) > 1) {
    if (before === undefined) return { added: LEAF };
    return after === undefined ? { removed: LEAF } : compareWhole(before, after);
  }
  return compareValues(before?.[0], after?.[0], schema.items);
}
