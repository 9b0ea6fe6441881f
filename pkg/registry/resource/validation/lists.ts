import { type BadValue, fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';

/** Upstream's validateSlice: of a list that is too long nothing else is said. */
export function* listOf<T>(
  items: readonly T[] | undefined,
  max: number,
  path: FieldPath,
  check: (item: T, path: FieldPath) => Findings,
): Findings {
  const list = items ?? [];
  if (list.length > max) return yield fieldError.tooMany(path, list.length, max);
  for (const [index, item] of list.entries()) yield* check(item, path.index(index));
}

/** Upstream's validateSet: besides, no two items may have the same key. */
export function* setOf<T>(
  items: readonly T[] | undefined,
  max: number,
  path: FieldPath,
  check: (item: T, path: FieldPath) => Findings,
  keyOf: (item: T) => string | Verbatim,
): Findings {
  yield* listOf(items, max, path, check);
  const list = items ?? [];
  if (list.length > max) return;
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    const key: BadValue & (string | Verbatim) = keyOf(item);
    const text = key instanceof Verbatim ? key.text : key;
    if (seen.has(text)) yield fieldError.duplicate(path.index(index), key);
    seen.add(text);
  }
}

/** Upstream's validateMap: what is wrong with a key is told of the map. */
export function* mapOf<T>(
  items: Readonly<Record<string, T>> | undefined,
  max: number,
  path: FieldPath,
  checkKey: (path: FieldPath, key: string) => Findings,
  check: (item: T, path: FieldPath) => Findings = function* () {},
): Findings {
  const entries = Object.entries(items ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length > max) return yield fieldError.tooMany(path, entries.length, max);
  for (const [key, item] of entries) {
    yield* checkKey(path, key);
    yield* check(item, path.key(key));
  }
}
