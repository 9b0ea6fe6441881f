import { DatastoreError } from './datastore.ts';

/** Longest key, in bytes of UTF-8: well above `/registry/<group>/<resource>/<namespace>/<name>` at their limits. */
export const MAX_KEY_BYTES = 2048;

const LAST_CODE_POINT = 0x10ffff;
const BEFORE_SURROGATES = 0xd7ff;
const AFTER_SURROGATES = 0xe000;

/** Throws DatastoreError `invalid-key` unless `key` is 1 to MAX_KEY_BYTES bytes of well-formed text without NUL. */
export function checkKey(key: string): void {
  const problem =
    key === ''
      ? 'is empty'
      : !key.isWellFormed()
        ? 'has a lone surrogate'
        : key.includes('\0')
          ? 'has a NUL character'
          : key.length > MAX_KEY_BYTES || Buffer.byteLength(key) > MAX_KEY_BYTES
            ? `is longer than ${MAX_KEY_BYTES} bytes`
            : undefined;
  if (problem !== undefined) {
    throw new DatastoreError('invalid-key', `the key ${JSON.stringify(key.slice(0, 200))} ${problem}`);
  }
}

/** Compares keys by the bytes of their UTF-8, which is the order of lists (`<` of JavaScript is another one). */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * The least string that is greater, in byte order of UTF-8, than every string starting with `prefix`; undefined when
 * there is none (the empty prefix).
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === LAST_CODE_POINT) continue;
    const next = last === BEFORE_SURROGATES ? AFTER_SURROGATES : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}
