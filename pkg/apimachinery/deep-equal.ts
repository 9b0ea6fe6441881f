/** Equality of JSON values. */

/** Same value; a key with `undefined` equals an absent key. Key order is of no account. */
export function deepEqual(a: unknown, b: unknown): boolean {
  return compare(a, b, false);
}

/**
 * Equal in meaning: besides, null and empty lists equal absent (Go's nil and empty slices). Empty objects stay
 * different from absent ones, since `emptyDir: {}` says something.
 */
export function semanticEqual(a: unknown, b: unknown): boolean {
  return compare(a, b, true);
}

function vacant(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function compare(a: unknown, b: unknown, semantic: boolean): boolean {
  if (a === b) return true;
  if (semantic && vacant(a) && vacant(b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => compare(item, b[index], semantic));
  }
  if (Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of Object.keys(left)) if (!compare(left[key], right[key], semantic)) return false;
  for (const key of Object.keys(right)) {
    if (!Object.hasOwn(left, key) && !compare(undefined, right[key], semantic)) return false;
  }
  return true;
}
