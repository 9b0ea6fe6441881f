/** The fields an object says something about. */
import type { Json, Schema } from '../../api/schema.ts';
import { isJsonObject } from '../json.ts';
import { EMPTY_SET, type FieldSet, LEAF, type MutableFieldSet, makeNode } from './field-set.ts';
import { childSchema, divides, isVacant, itemsByElement } from './typed.ts';

/** The set of all fields of a value; undeclared fields count as one value each. Throws TypedError. */
export function fieldsOf(value: Json, schema: Schema): FieldSet {
  return children(value, schema) ?? EMPTY_SET;
}

/** What lies below a value that divides; undefined when nothing does. */
function children(value: Json, schema: Schema): MutableFieldSet | undefined {
  const result: MutableFieldSet = {};
  if (schema.kind === 'list' && Array.isArray(value)) {
    for (const [element, items] of itemsByElement(value, schema)) {
      const [item = null] = items;
      // An item that is there twice counts as a whole.
      const below = items.length === 1 ? childrenIfAny(item, schema.items) : undefined;
      result[element] = makeNode(true, below) ?? LEAF;
    }
  } else if (isJsonObject(value)) {
    for (const key of Object.keys(value)) {
      const item = value[key];
      if (item === undefined) continue;
      const isEntry = schema.kind !== 'struct' || !schema.fields.has(key);
      const node = fieldNode(item, childSchema(schema, key), isEntry);
      if (node !== undefined) result[`f:${key}`] = node;
    }
  }
  return result;
}

/** `isEntry`: an entry of a map is a member itself, a declared field only through what is in it. */
function fieldNode(value: Json, schema: Schema | undefined, isEntry: boolean): FieldSet | undefined {
  if (schema === undefined || divides(schema, value) === 'whole') return LEAF;
  const isEmptyObject = isJsonObject(value) && isVacant(value);
  return makeNode(isEntry || isEmptyObject, children(value, schema));
}

const childrenIfAny = (value: Json, schema: Schema): MutableFieldSet | undefined =>
  divides(schema, value) === 'whole' ? undefined : children(value, schema);
