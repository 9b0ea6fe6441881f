/** The fields an object says something about. */
import type { Json, Schema } from '../../api/schema.ts';
import { isJsonObject } from '../json.ts';
import { EMPTY_SET, type FieldSet, LEAF, type MutableFieldSet, makeNode, pathText } from './field-set.ts';
import { childSchema, divides, isVacant, itemsByElement, TypedError } from './typed.ts';

/**
 * The set of all fields of a value. With `strict`, as for a configuration to apply, undeclared fields and list items
 * met twice are TypedErrors; otherwise undeclared fields count as one value each.
 */
export function fieldsOf(value: Json, schema: Schema, strict = false): FieldSet {
  return new Extractor(strict).children(value, schema) ?? EMPTY_SET;
}

class Extractor {
  readonly #strict: boolean;
  readonly #path: string[] = [];

  constructor(strict: boolean) {
    this.#strict = strict;
  }

  /** What lies below a value that divides; undefined when nothing does. */
  children(value: Json, schema: Schema): MutableFieldSet | undefined {
    const result: MutableFieldSet = {};
    if (schema.kind === 'list' && Array.isArray(value)) {
      for (const [element, items] of this.#items(value, schema)) {
        if (items.length > 1 && this.#strict) this.#fail(`duplicate entries for key ${pathText([element])}`);
        const [item = null] = items;
        const below = items.length === 1 ? this.#below(element, item, schema.items) : undefined;
        result[element] = makeNode(true, below) ?? LEAF;
      }
    } else if (isJsonObject(value)) {
      for (const key of Object.keys(value)) {
        const item = value[key];
        if (item === undefined) continue;
        const element = `f:${key}`;
        const below = childSchema(schema, key);
        if (below === undefined && this.#strict) {
          this.#path.push(element);
          this.#fail('field not declared in schema');
        }
        const node = this.#field(element, item, below, schema.kind !== 'struct' || !schema.fields.has(key));
        if (node !== undefined) result[element] = node;
      }
    }
    return result;
  }

  /** `entry`: an entry of a map is a member itself, a declared field only through what is in it. */
  #field(element: string, value: Json, schema: Schema | undefined, entry: boolean): FieldSet | undefined {
    if (schema === undefined || divides(schema, value) === 'whole') {
      this.#checkShape(element, value, schema);
      return LEAF;
    }
    const isEmptyObject = isJsonObject(value) && isVacant(value);
    return makeNode(entry || isEmptyObject, this.#below(element, value, schema));
  }

  #checkShape(element: string, value: Json, schema: Schema | undefined): void {
    if (!this.#strict || value === null || schema === undefined || schema.kind === 'any') return;
    const expected = schema.kind === 'list' ? 'list' : schema.kind === 'scalar' ? 'scalar' : 'map';
    const actual = Array.isArray(value) ? 'list' : isJsonObject(value) ? 'map' : 'scalar';
    if (expected === actual) return;
    this.#path.push(element);
    this.#fail(`expected ${expected}, got ${JSON.stringify(value)}`);
  }

  #below(element: string, value: Json, schema: Schema): MutableFieldSet | undefined {
    if (divides(schema, value) === 'whole') return undefined;
    this.#path.push(element);
    const below = this.children(value, schema);
    this.#path.pop();
    return below;
  }

  #items(list: readonly Json[], schema: Schema & { kind: 'list' }): Map<string, Json[]> {
    try {
      return itemsByElement(list, schema);
    } catch (error) {
      if (error instanceof TypedError) this.#fail(error.message);
      throw error;
    }
  }

  #fail(message: string): never {
    throw new TypedError(`${pathText(this.#path)}: ${message}`);
  }
}
