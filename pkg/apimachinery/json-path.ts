/** Plain paths of field names into JSON objects. */
import type { Json, JsonObject } from '../api/schema.ts';
import { getKey, isJsonObject, setKey } from './json.ts';

/** The value at `path`; undefined when something on the way is missing or no object. */
export function getPath(object: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = object;
  for (const name of path) {
    if (!isJsonObject(value)) return undefined;
    value = getKey(value, name);
  }
  return value;
}

/** Sets the value at `path`, making the objects on the way. */
export function setPath(object: JsonObject, path: readonly string[], value: Json): void {
  let target = object;
  for (const name of path.slice(0, -1)) {
    const next = getKey(target, name);
    if (isJsonObject(next)) target = next;
    else {
      const made: JsonObject = {};
      setKey(target, name, made);
      target = made;
    }
  }
  const last = path.at(-1);
  if (last !== undefined) setKey(target, last, value);
}
