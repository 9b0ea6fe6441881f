/** Hashes that become part of names: `pod-template-hash`, `controller-revision-hash`. */
import { safeEncode } from './random-name.ts';

/** 32-bit FNV-1a over the UTF-8 bytes of `text`. */
export function fnv32a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** JSON with sorted keys and without undefined values: equal objects give equal text. */
export function stableStringify(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableStringify).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const object = value as Record<string, unknown>;
  const entries = Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${stableStringify(object[key])}`);
  return `{${entries.join(',')}}`;
}

/**
 * The hash of an object as it stands in names. `collisionCount` changes it when an earlier attempt met another object
 * of the same hash (Deployment status.collisionCount).
 */
export function objectHash(value: unknown, collisionCount?: number): string {
  const text = collisionCount === undefined ? stableStringify(value) : `${stableStringify(value)}#${collisionCount}`;
  return safeEncode(String(fnv32a(text)));
}
