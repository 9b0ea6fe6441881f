/**
 * Sets of fields in the form they have in `managedFields` (FieldsV1): a tree whose keys are path elements, `f:name` for
 * a field, `k:{"name":"c"}` for an item of a keyed list, `v:"x"` for an item of a set. A leaf is the empty object; an
 * inner node that is itself in the set has the key `.`. Sets are never changed; results share what they can.
 */
import { sortedKeys } from '../json.ts';

export interface FieldSet {
  readonly [element: string]: FieldSet;
}

export const SELF = '.';
export const LEAF: FieldSet = Object.freeze({});

/** The path element of a field: `f:name`. The names there are come again and again, and making a key of a text is dear. */
export function fieldElement(name: string): string {
  let element = elements.get(name);
  if (element === undefined) {
    element = `f:${name}`;
    if (elements.size < MOST_ELEMENTS && name.length <= LONGEST_ELEMENT) elements.set(name, element);
  }
  return element;
}

const elements = new Map<string, string>();
/** Names that users make up (labels, keys of ConfigMaps) have no end. */
const MOST_ELEMENTS = 5000;
const LONGEST_ELEMENT = 64;

/** The set of nothing; as a child it would be a leaf, so children that vanish are left out instead. */
export const EMPTY_SET: FieldSet = LEAF;

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** A set while it is built. */
export type MutableFieldSet = { [element: string]: FieldSet };

const isMember = (node: FieldSet): boolean => SELF in node || isEmptySet(node);

/** A node of these children; undefined when there is nothing in it. */
export function makeNode(member: boolean, children: MutableFieldSet | undefined): FieldSet | undefined {
  if (children === undefined || isEmptySet(children)) return member ? LEAF : undefined;
  if (member) children[SELF] = LEAF;
  return children;
}

function mergeNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  const children: MutableFieldSet = {};
  for (const key in a) if (key !== SELF) children[key] = a[key] ?? LEAF;
  for (const key in b) {
    if (key === SELF) continue;
    const mine = children[key];
    const theirs = b[key] ?? LEAF;
    children[key] = mine === undefined ? theirs : mergeNodes(mine, theirs);
  }
  return makeNode(isMember(a) || isMember(b), children) ?? LEAF;
}

/** Everything that is in either. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return b;
  if (isEmptySet(b)) return a;
  const result: MutableFieldSet = { ...a };
  for (const key in b) {
    const mine = a[key];
    const theirs = b[key] ?? LEAF;
    result[key] = mine === undefined ? theirs : mergeNodes(mine, theirs);
  }
  return result;
}

type NodeOperation = (a: FieldSet, b: FieldSet) => FieldSet | undefined;

/** `a` without the children whose counterparts in `b` take something away. */
function subtractChildren(a: FieldSet, b: FieldSet, subtract: NodeOperation): MutableFieldSet | undefined {
  let result: MutableFieldSet | undefined;
  for (const key in b) {
    const mine = key === SELF ? undefined : a[key];
    if (mine === undefined) continue;
    const rest = subtract(mine, b[key] ?? LEAF);
    if (rest === mine) continue;
    result ??= { ...a };
    if (rest === undefined) delete result[key];
    else result[key] = rest;
  }
  return result;
}

const subtractNode: NodeOperation = (a, b) => {
  const children = subtractChildren(a, b, subtractNode);
  const member = isMember(a);
  const remains = member && !isMember(b);
  if (children === undefined && remains === member) return a;
  const rest = { ...(children ?? a) };
  delete rest[SELF];
  return makeNode(remains, rest);
};

/** What is in `a` but not in `b`, path by path: taking away `.spec` leaves `.spec.replicas`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return subtractChildren(a, b, subtractNode) ?? a;
}

const subtractDeepNode: NodeOperation = (a, b) => {
  if (isMember(b)) return undefined;
  const children = subtractChildren(a, b, subtractDeepNode);
  if (children === undefined) return a;
  delete children[SELF];
  return makeNode(isMember(a), children);
};

/** What is in `a` and neither in `b` nor below anything in `b`. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  return subtractChildren(a, b, subtractDeepNode) ?? a;
}

function intersectChildren(a: FieldSet, b: FieldSet): MutableFieldSet {
  const children: MutableFieldSet = {};
  for (const key in b) {
    const mine = key === SELF ? undefined : a[key];
    if (mine === undefined) continue;
    const theirs = b[key] ?? LEAF;
    const both = makeNode(isMember(mine) && isMember(theirs), intersectChildren(mine, theirs));
    if (both !== undefined) children[key] = both;
  }
  return children;
}

/** What is in both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return intersectChildren(a, b);
}

export function setsEqual(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  let count = 0;
  for (const key in a) {
    const theirs = b[key];
    if (theirs === undefined || !setsEqual(a[key] ?? LEAF, theirs)) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}

/** The set with sorted keys, as it is stored; equal sets have equal text. */
export function sortSet(set: FieldSet): FieldSet {
  const result: MutableFieldSet = {};
  const keys = sortedKeys(set);
  for (const key of keys) result[key] = sortSet(set[key] ?? LEAF);
  return keys.length === 0 ? LEAF : result;
}

/** Whether something in the set lies at or below the path. */
export function hasPath(set: FieldSet, path: readonly string[]): boolean {
  let node: FieldSet | undefined = set;
  for (const element of path) {
    node = node?.[element];
    if (node === undefined) return false;
  }
  return isMember(node);
}

/** A set of whole fields, each given by its dotted path (`spec`, `metadata.labels`): what a subresource resets. */
export function fieldSetOf(...paths: readonly string[]): FieldSet {
  let set: FieldSet = EMPTY_SET;
  for (const path of paths) {
    const nested = path.split('.').reduceRight<FieldSet>((below, name) => ({ [`f:${name}`]: below }), LEAF);
    set = union(set, nested);
  }
  return set;
}

/** The members of a set as paths, at each level first the members themselves, then what lies below them. */
export function* pathsOf(set: FieldSet, above: readonly string[] = []): Generator<readonly string[]> {
  const keys = Object.keys(set)
    .filter((key) => key !== SELF)
    .sort();
  for (const key of keys) if (isMember(set[key] ?? LEAF)) yield [...above, key];
  for (const key of keys) yield* pathsOf(set[key] ?? LEAF, [...above, key]);
}

/** A path as messages show it: `.spec.containers[name="c"].image`. */
export function pathText(path: readonly string[]): string {
  return path
    .map((element) => {
      const rest = element.slice(2);
      if (element.startsWith('f:')) return `.${rest}`;
      if (element.startsWith('v:')) return `[=${rest}]`;
      if (element.startsWith('i:')) return `[${rest}]`;
      const keys = JSON.parse(rest) as Record<string, unknown>;
      const parts = Object.keys(keys).map((key) => `${key}=${JSON.stringify(keys[key])}`);
      return `[${parts.join(',')}]`;
    })
    .join('');
}
