/** Building the object that an applied configuration leads to: merging it in, and taking out what it let go. */

import type { Json, JsonObject, ListSchema, Schema } from '../../api/schema.ts';
import { anySchema } from '../../api/schema.ts';
import { append } from '../append.ts';
import { isJsonObject, setKey } from '../json.ts';
import { type FieldSet, hasPath, isEmptySet, LEAF, type MutableFieldSet, makeNode, SELF } from './field-set.ts';
import { childSchema, isAtomic, isVacant, itemElement, itemsByElement } from './typed.ts';

/** The live value with the configuration laid over it. */
export function mergeTyped(live: Json | undefined, config: Json | undefined, schema: Schema): Json {
  if (config === undefined) return live ?? null;
  if (live === undefined) return config;
  if (isAtomic(schema) || (isVacant(live) && isVacant(config))) return config;
  if (schema.kind === 'list') {
    if (!Array.isArray(live)) return config;
    return Array.isArray(config) ? mergeItems(live, config, schema) : live;
  }
  if (!isJsonObject(live)) return config;
  if (!isJsonObject(config)) return config === null ? live : config;
  const result: JsonObject = { ...live };
  for (const [key, value] of Object.entries(config)) {
    if (value === undefined) continue;
    const old = Object.hasOwn(live, key) ? live[key] : undefined;
    setKey(result, key, mergeTyped(old, value, childSchema(schema, key) ?? anySchema));
  }
  return result;
}

/**
 * The configuration's order holds; items it does not name keep the place they have beside those that both name. An item
 * that the live list has more than once is replaced.
 */
function mergeItems(live: readonly Json[], config: readonly Json[], schema: ListSchema): Json[] {
  const mine = live.map((item) => itemElement(item, schema));
  const wanted = config.map((item) => itemElement(item, schema));
  const liveItems = itemsByElement(live, schema);
  const configItems = itemsByElement(config, schema);
  // Those that both have, in the configuration's order: the next of them is waited for.
  const shared = wanted.filter((element) => liveItems.has(element)).values();
  let awaited: string | undefined = shared.next().value;
  const done = new Set<string>();
  const result: Json[] = [];
  const take = (element: string): void => {
    const old = liveItems.get(element) ?? [];
    result.push(mergeTyped(old.length === 1 ? old[0] : undefined, configItems.get(element)?.[0], schema.items));
    done.add(element);
    if (element === awaited) awaited = shared.next().value;
  };
  for (let [at, next] = [0, 0]; at < mine.length || next < wanted.length; ) {
    const [here, there] = [mine[at], wanted[next]];
    if (here !== undefined && here === there) {
      take(here);
      at++;
      next++;
    } else if (here !== undefined && !configItems.has(here)) {
      append(result, live.slice(at, at + 1));
      at++;
    } else if (here !== undefined && there !== undefined && awaited !== undefined && awaited !== here) {
      at++;
    } else {
      if (here !== undefined && done.has(here)) at++;
      if (there === undefined) continue;
      take(there);
      next++;
    }
  }
  return result;
}

/** The value without everything in `fields`; objects and lists that run empty become null. */
export function removeFields(value: Json, fields: FieldSet, schema: Schema): Json {
  if (isEmptySet(fields) || schema.kind === 'scalar') return value;
  if (isAtomic(schema)) return null;
  if (schema.kind === 'list') {
    if (!Array.isArray(value)) return value;
    const rest: Json[] = [];
    for (const item of value) {
      const element = itemElement(item, schema);
      if (hasPath(fields, [element])) continue;
      const below = fields[element];
      rest.push(below === undefined ? item : removeFields(item, below, schema.items));
    }
    return rest.length === 0 ? null : rest;
  }
  if (!isJsonObject(value)) return value;
  const rest: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    const element = `f:${key}`;
    if (item === undefined || hasPath(fields, [element])) continue;
    const below = fields[element];
    setKey(rest, key, below === undefined ? item : removeFields(item, below, childSchema(schema, key) ?? anySchema));
  }
  return Object.keys(rest).length === 0 ? null : rest;
}

/**
 * The set with every declared field on the way to a member made a member itself: owning `.spec.template.spec` means
 * that the structs above it may not vanish either.
 */
export function withNamedFields(set: FieldSet, schema: Schema): FieldSet {
  const result: MutableFieldSet = {};
  for (const element of Object.keys(set)) {
    const node = set[element] ?? LEAF;
    if (element === SELF) {
      result[SELF] = LEAF;
      continue;
    }
    const key = element.slice(2);
    const isField = element.startsWith('f:');
    const below = isField ? (childSchema(schema, key) ?? anySchema) : schema.kind === 'list' ? schema.items : anySchema;
    if (isEmptySet(node)) {
      result[element] = LEAF;
      continue;
    }
    const named = isField && schema.kind === 'struct' && schema.fields.has(key);
    const { [SELF]: self, ...children } = withNamedFields(node, below);
    result[element] = makeNode(named || self !== undefined, children) ?? LEAF;
  }
  return result;
}
