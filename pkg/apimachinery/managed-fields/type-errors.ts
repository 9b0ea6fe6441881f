/** What is wrong with a configuration to apply, in the words of structured-merge-diff's validation. */
import type { Json, ListSchema, ScalarType, Schema } from '../../api/schema.ts';
import { goSyntax } from '../custom/validate-value.ts';
import { goValueText } from '../go-value.ts';
import { isJsonObject } from '../json.ts';
import { pathText } from './field-set.ts';
import { childSchema, itemElement, TypedError } from './typed.ts';

/** Throws a TypedError that tells all of it. */
export function checkTypes(value: Json, schema: Schema): void {
  const [first, ...more] = typeErrors(value, schema, '');
  if (first === undefined) return;
  throw new TypedError(more.length === 0 ? first : ['errors:', first, ...more].join('\n  '));
}

const at = (path: string, text: string): string => (path === '' ? text : `${path}: ${text}`);

function* typeErrors(value: Json, schema: Schema, path: string): Generator<string> {
  // Null is as good as nothing, whatever belongs there.
  if (value === null || schema.kind === 'any') return;
  if (schema.kind === 'scalar') {
    const wrong = scalarError(value, schema.type);
    if (wrong !== undefined) yield at(path, wrong);
  } else if (schema.kind === 'list') {
    if (Array.isArray(value)) yield* itemErrors(value, schema, path);
    else yield at(path, `expected list, got &{${goValueText(value)}}`);
  } else if (isJsonObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      const below = childSchema(schema, key);
      if (below === undefined) return yield at(`${path}.${key}`, 'field not declared in schema');
      if (item !== undefined) yield* typeErrors(item, below, `${path}.${key}`);
    }
  } else yield at(path, `expected map, got &{${goValueText(value)}}`);
}

function* itemErrors(list: readonly Json[], schema: ListSchema, path: string): Generator<string> {
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    let element = `i:${index}`;
    if (schema.listType !== 'atomic') {
      try {
        element = itemElement(item, schema);
      } catch (error) {
        if (!(error instanceof TypedError)) throw error;
        return yield at(path, `element ${index}: ${error.message}`);
      }
      if (seen.has(element)) yield at(path, `duplicate entries for key ${pathText([element])}`);
      seen.add(element);
    }
    yield* typeErrors(item, schema.items, path + pathText([element]));
  }
}

const STRINGS: readonly ScalarType[] = ['string', 'bytes', 'duration'];
const NUMBERS: readonly ScalarType[] = ['int32', 'int64', 'double'];

function scalarError(value: Json, type: ScalarType): string | undefined {
  if (STRINGS.includes(type)) {
    return typeof value === 'string'
      ? undefined
      : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`;
  }
  if (NUMBERS.includes(type)) {
    return typeof value === 'number' ? undefined : `expected numeric (int or float), got ${goType(value)}`;
  }
  const shown = `got &{${goValueText(value)}}`;
  if (type === 'boolean') return typeof value === 'boolean' ? undefined : `expected boolean, ${shown}`;
  return typeof value === 'object' ? `expected any scalar, ${shown}` : undefined;
}

function goType(value: Json): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'object' ? 'map[string]interface {}' : typeof value;
}
