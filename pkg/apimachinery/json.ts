/** Narrowing helpers for JSON values. */
import type { Json, JsonObject } from '../api/schema.ts';

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a key without ever touching the prototype, whatever a client called the key. */
export function setKey(object: JsonObject, key: string, value: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[key] = value;
  }
}

/** The value of an own key; keys of the prototype (`constructor`) are not there. */
export function getKey(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** A copy of a JSON value that shares nothing with it; several times cheaper than structuredClone. */
export function cloneJson<T>(value: T): T {
  return cloneValue(value) as T;
}

function cloneValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cloneValue);
  const source = value as JsonObject;
  const copy: JsonObject = {};
  for (const key of Object.keys(source)) setKey(copy, key, cloneValue(source[key]) as Json);
  return copy;
}
