/**
 * Strategic merge patches: lists merge by their merge key as the field's patchStrategy says, and `$`-directives
 * delete, replace and order items (k8s.io/apimachinery/pkg/util/strategicpatch, the server's half of it).
 */
import type { FieldSchema, Json, JsonObject, Schema } from '../../api/schema.ts';
import { goValueText } from '../go-value.ts';
import { getKey, isJsonObject, setKey } from '../json.ts';
import { type StatusError, statusErrors } from '../status-error.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM_LIST = '$deleteFromPrimitiveList';
const ELEMENT_ORDER = '$setElementOrder';

const badRequest = (message: string): StatusError => statusErrors.badRequest(message);
const plain = (message: string): StatusError => statusErrors.unclassified(message);
const noMergeKey = (item: Json, key: string): StatusError =>
  plain(`map: ${goValueText(item)} does not contain declared merge key: ${key}`);
const badType = (directive: Json, item: Json): StatusError =>
  plain(`unknown patch type: ${goValueText(directive)} in map: ${goValueText(item)}`);
const badArgument = (expected: string, value: Json | undefined): StatusError =>
  plain(`expected a ${expected}, but received a ${goTypeOf(value)}`);

function goTypeOf(value: Json | undefined): string {
  if (value === null || value === undefined) return '%!s(<nil>)';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}

/**
 * The object with the patch merged in along `schema`; neither is changed, unchanged parts are shared. Throws a
 * StatusError: 400 for malformed directives, a bare 500 for the rest, as upstream does.
 */
export function applyStrategicMergePatch(object: JsonObject, patch: Json, schema: Schema): JsonObject {
  if (!isJsonObject(patch) && patch !== null) {
    const what = Array.isArray(patch) ? 'array' : typeof patch === 'boolean' ? 'bool' : typeof patch;
    throw badRequest(`json: cannot unmarshal ${what} into Go value of type map[string]interface {}`);
  }
  return mergeObject(object, patch ?? {}, schema);
}

/** What the schema says about a field: how it merges and what lies below it. */
interface FieldMeta {
  readonly schema: Schema | undefined;
  readonly strategy: 'merge' | 'replace' | undefined;
  readonly mergeKey: string;
}

function fieldMeta(schema: Schema | undefined, key: string): FieldMeta {
  const field: FieldSchema | undefined = schema?.kind === 'struct' ? schema.fields.get(key) : undefined;
  const below = schema?.kind === 'map' ? schema.values : field?.schema;
  const strategy = field?.patchStrategy?.find((name) => name !== 'retainKeys');
  return {
    schema: below,
    strategy: strategy === 'merge' || strategy === 'replace' ? strategy : undefined,
    mergeKey: field?.patchMergeKey ?? '',
  };
}

const itemSchema = (schema: Schema | undefined): Schema | undefined =>
  schema?.kind === 'list' ? schema.items : undefined;

function mergeObject(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive !== undefined) {
    if (directive === 'delete') return {};
    if (directive !== 'replace') throw badType(directive, patch);
    const { [DIRECTIVE]: _, ...rest } = patch;
    return rest;
  }
  const result: JsonObject = { ...original };
  const rest: JsonObject = { ...patch };
  retainKeys(result, rest);
  orderLists(result, rest, schema);
  for (const [patchKey, value] of Object.entries(rest)) {
    const isDeletion = patchKey.startsWith(DELETE_FROM_LIST);
    const key = isDeletion ? listName(patchKey) : patchKey;
    if (value === null || value === undefined) {
      delete result[key];
      continue;
    }
    const current = getKey(result, key);
    const { schema: below, strategy, mergeKey } = fieldMeta(schema, key);
    if (isJsonObject(current) && isJsonObject(value)) {
      setKey(result, key, strategy === 'replace' ? value : mergeObject(current, value, below));
    } else if (Array.isArray(current) && Array.isArray(value)) {
      setKey(
        result,
        key,
        isDeletion || strategy === 'merge' ? mergeList(current, value, below, mergeKey, isDeletion) : value,
      );
    } else if (!isDeletion) {
      const clean = withoutDirectives(value);
      if (clean === undefined) delete result[key];
      else setKey(result, key, clean);
    }
  }
  return result;
}

/** `$retainKeys`: the patch names every key that may stay; all others go. */
function retainKeys(result: JsonObject, patch: JsonObject): void {
  const keep = patch[RETAIN_KEYS];
  if (keep === undefined) return;
  delete patch[RETAIN_KEYS];
  const error = badRequest('invalid patch format of retainKeys');
  if (!Array.isArray(keep)) throw error;
  for (const [key, value] of Object.entries(patch)) {
    const isDirective = key.startsWith(DELETE_FROM_LIST) || key.startsWith(ELEMENT_ORDER);
    if (value !== null && !isDirective && !keep.includes(key)) throw error;
  }
  for (const key of Object.keys(result)) if (!keep.includes(key)) delete result[key];
}

/** The field that `$setElementOrder/containers` or `$deleteFromPrimitiveList/finalizers` speaks of. */
function listName(directive: string): string {
  const slash = directive.indexOf('/');
  const prefix = directive.slice(0, slash);
  if (prefix === DELETE_FROM_LIST || prefix === ELEMENT_ORDER) return directive.slice(slash + 1);
  throw badRequest(
    directive.startsWith(ELEMENT_ORDER)
      ? 'invalid patch format of setElementOrder list'
      : 'invalid patch format of primitive list',
  );
}

/** Carries out the `$setElementOrder` directives and the list patches they go with; both leave `patch`. */
function orderLists(result: JsonObject, patch: JsonObject, schema: Schema | undefined): void {
  for (const [directive, order] of Object.entries(patch)) {
    if (!directive.startsWith(ELEMENT_ORDER)) continue;
    delete patch[directive];
    if (!Array.isArray(order)) throw badArgument('[]interface {}', order);
    const key = listName(directive);
    const current = getKey(result, key);
    const change = getKey(patch, key);
    if (current !== undefined && !Array.isArray(current)) throw badArgument('[]interface {}', current);
    if (change !== undefined && !Array.isArray(change)) throw badArgument('[]interface {}', change);
    const { schema: below, strategy, mergeKey } = fieldMeta(schema, key);
    checkOrder(change ?? [], order, mergeKey);
    if (current === undefined && change === undefined) continue;
    if ((current ?? []).length + (change ?? []).length === 0) throw plain('no elements in any of the given slices');
    let merged: Json[];
    if (change === undefined) merged = current ?? [];
    else if (current === undefined) merged = cleanItems(change);
    else merged = strategy === 'merge' ? mergeList(current, change, below, mergeKey, false) : change;
    const old = strategy === 'merge' ? orderBefore(current ?? [], change ?? [], mergeKey) : (current ?? []);
    setKey(result, key, arrange(merged, order, old, mergeKey));
    delete patch[key];
  }
}

/**
 * The order that items had. Upstream deletes in place, so that items which are added take the places of those that went
 * and count as the last there were.
 */
function orderBefore(current: readonly Json[], change: readonly Json[], mergeKey: string): readonly Json[] {
  const named = change.filter(isJsonObject);
  if (mergeKey === '' || !named.some((item) => item[DIRECTIVE] === 'delete')) return current;
  const gone = new Set(named.filter((item) => item[DIRECTIVE] === 'delete').map((item) => item[mergeKey]));
  const kept = current.filter((item) => !(isJsonObject(item) && gone.has(item[mergeKey])));
  const known = new Set(kept.map((item) => (isJsonObject(item) ? item[mergeKey] : item)));
  const added = named.filter((item) => item[DIRECTIVE] === undefined && !known.has(item[mergeKey]));
  return [...kept, ...added.slice(0, current.length - kept.length)];
}

/** The items of a list patch have to come in the order the directive gives. */
function checkOrder(change: readonly Json[], order: readonly Json[], mergeKey: string): void {
  if (change.length === 0 || order.length === 0) return;
  const items =
    mergeKey === '' ? change : change.filter((item) => !(isJsonObject(item) && item[DIRECTIVE] === 'delete'));
  let at = 0;
  for (const wanted of order) {
    while (at < items.length && isDirectiveItem(items[at])) at++;
    const item = items[at];
    if (item === undefined) return;
    if (identity(item, mergeKey) === identity(wanted, mergeKey)) at++;
  }
  if (at < items.length) {
    throw plain(
      `The order in patch list:\n${goValueText([...change])}\n doesn't match ${ELEMENT_ORDER} list:\n${goValueText([...order])}\n`,
    );
  }
}

function isDirectiveItem(item: Json | undefined): boolean {
  return isJsonObject(item) && item[DIRECTIVE] !== undefined;
}

/** What an item is known by: the value of its merge key, or, in a list of scalars, itself. */
function identity(item: Json, mergeKey: string): Json {
  if (mergeKey === '') return item;
  if (!isJsonObject(item)) throw badArgument('map[string]interface {}', item);
  const value = item[mergeKey];
  if (value === undefined) throw noMergeKey(item, mergeKey);
  return value;
}

function mergeList(
  original: readonly Json[],
  patch: readonly Json[],
  schema: Schema | undefined,
  mergeKey: string,
  isDeletion: boolean,
): Json[] {
  if (original.length === 0 && patch.length === 0) return [];
  if (!isListOfObjects(original, patch)) {
    if (isDeletion) return original.filter((item) => !patch.includes(item));
    return arrange([...new Set([...original, ...patch])], patch, original, '');
  }
  if (mergeKey === '') throw plain('cannot merge lists without merge key');
  let base = [...original];
  const changes: JsonObject[] = [];
  let replace = false;
  for (const item of patch) {
    if (!isJsonObject(item)) throw badArgument('map[string]interface {}', item);
    const directive = item[DIRECTIVE];
    if (directive === undefined) {
      changes.push(item);
    } else if (directive === 'delete') {
      const gone = identity(item, mergeKey);
      base = base.filter((other) => !(isJsonObject(other) && other[mergeKey] === gone));
    } else if (directive === 'replace') {
      replace = true;
    } else if (directive === 'merge') {
      throw plain('merging lists cannot yet be specified in the patch');
    } else {
      throw badType(directive, item);
    }
  }
  if (replace) {
    for (const item of changes) identity(item, mergeKey);
    return changes;
  }
  for (const item of changes) {
    const key = identity(item, mergeKey);
    const at = base.findIndex((other) => isJsonObject(other) && other[mergeKey] === key);
    const current = base[at];
    if (isJsonObject(current)) base[at] = mergeObject(current, item, itemSchema(schema));
    else base.push(item);
  }
  return arrange(base, changes, original, mergeKey);
}

/** Whether the items are objects; all of both lists have to be of one type. */
function isListOfObjects(...lists: (readonly Json[])[]): boolean {
  const kinds = new Set(
    lists.flat().map((item) => (isJsonObject(item) ? 'object' : Array.isArray(item) ? 'list' : typeof item)),
  );
  if (kinds.has('list')) {
    throw statusErrors.custom(422, 'Invalid', 'lists of lists are not supported', {});
  }
  if (kinds.size > 1)
    throw plain(`list element types are not identical: ${goValueText(lists.map((list) => [...list]))}`);
  return kinds.has('object');
}

/**
 * The order of a merged list: the items that `order` names in its order, the others in the order they had, the two
 * interleaved so that neighbours known from the old list stay neighbours.
 */
function arrange(merged: readonly Json[], order: readonly Json[], old: readonly Json[], mergeKey: string): Json[] {
  const ranks = rankOf(order, mergeKey);
  const oldRanks = rankOf(old, mergeKey);
  const rank = (map: ReadonlyMap<Json, number>, item: Json): number => map.get(identity(item, mergeKey)) ?? -1;
  const named = merged.filter((item) => rank(ranks, item) >= 0).sort((a, b) => rank(ranks, a) - rank(ranks, b));
  const others = merged.filter((item) => rank(ranks, item) < 0).sort((a, b) => rank(oldRanks, a) - rank(oldRanks, b));
  const result: Json[] = [];
  let next = 0;
  for (const item of named) {
    for (let other = others[next]; other !== undefined; other = others[++next]) {
      const left = rank(oldRanks, other);
      if (left < 0 || rank(oldRanks, item) < 0 || left >= rank(oldRanks, item)) break;
      result.push(other);
    }
    result.push(item);
  }
  return [...result, ...others.slice(next)];
}

function rankOf(list: readonly Json[], mergeKey: string): Map<Json, number> {
  const ranks = new Map<Json, number>();
  list.forEach((item, index) => {
    const key = identity(item, mergeKey);
    if (!ranks.has(key)) ranks.set(key, index);
  });
  return ranks;
}

/** A value taken over from the patch: nulls and directives have done their work; undefined when nothing is left. */
function withoutDirectives(value: Json): Json | undefined {
  if (Array.isArray(value)) return cleanItems(value);
  if (!isJsonObject(value)) return value;
  if (value[DIRECTIVE] !== undefined) return undefined;
  const result: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === null || item === undefined) continue;
    const clean = withoutDirectives(item);
    if (clean !== undefined) setKey(result, key, clean);
  }
  return result;
}

function cleanItems(list: readonly Json[]): Json[] {
  return list.map(withoutDirectives).filter((item) => item !== undefined);
}
