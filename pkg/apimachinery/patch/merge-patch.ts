/** JSON merge patches (RFC 7386). */
import type { Json, JsonObject } from '../../api/schema.ts';
import { getKey, isJsonObject, setKey } from '../json.ts';
import { statusErrors } from '../status-error.ts';

/**
 * The object with the patch merged in; neither argument is changed, unchanged parts are shared. Throws a StatusError
 * (400) when `patch` is no object.
 */
export function applyMergePatch(object: JsonObject, patch: Json): JsonObject {
  if (patch === null) throw statusErrors.badRequest('Invalid JSON Patch');
  if (!isJsonObject(patch)) {
    throw statusErrors.badRequest(
      `error decoding patch: json: cannot unmarshal ${Array.isArray(patch) ? 'array' : typeof patch} into Go value of type map[string]interface {}`,
    );
  }
  return merge(object, patch);
}

function merge(target: Json | undefined, patch: JsonObject): JsonObject {
  const result: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete result[key];
    else setKey(result, key, isJsonObject(value) ? merge(getKey(result, key), value) : value);
  }
  return result;
}
