/** JSON patches (RFC 6902) with the apiserver's limits and its one answer to a patch that does not apply. */
import { applyPatch, type Operation, Pointer } from 'rfc6902';
import type { Json, JsonObject } from '../../api/schema.ts';
import { cloneJson, isJsonObject } from '../json.ts';
import { statusErrors } from '../status-error.ts';

export const MAX_JSON_PATCH_OPERATIONS = 10_000;

/** `copy` may not blow an object up beyond what a request body may hold (bytes). */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

/**
 * The object with the patch applied; `object` itself stays as it is. Throws a StatusError: 400 when `patch` is no list
 * of operations, 413 for too many of them, 422 when one fails.
 */
export function applyJsonPatch(object: JsonObject, patch: Json): JsonObject {
  if (!Array.isArray(patch) || !patch.every(isJsonObject)) {
    throw statusErrors.badRequest(
      'error decoding patch: json: cannot unmarshal value into Go value of type jsonpatch.Patch',
    );
  }
  if (patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw statusErrors.requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`,
    );
  }
  const result: { root: Json } = { root: cloneJson(object) };
  let copied = 0;
  for (const operation of patch) {
    if (operation['op'] === 'copy' && typeof operation['from'] === 'string') {
      copied += (JSON.stringify(valueAt(result.root, operation['from'])) ?? '').length;
      if (copied > MAX_COPIED_BYTES) throw statusErrors.unprocessable();
    }
    applyOperation(result, operation);
  }
  if (!isJsonObject(result.root)) throw statusErrors.unprocessable();
  return result.root;
}

function valueAt(root: Json, path: string): unknown {
  return path === '' || path.startsWith('/') ? Pointer.fromJSON(path).evaluate(root).value : undefined;
}

/** One operation, on `holder.root` so that the root itself can be replaced; unprocessable when it fails. */
function applyOperation(holder: { root: Json }, operation: JsonObject): void {
  const rooted: JsonObject = { ...operation };
  for (const name of ['path', 'from']) {
    const path = operation[name];
    if (path === undefined) continue;
    if (typeof path !== 'string' || !(path === '' || path.startsWith('/'))) throw statusErrors.unprocessable();
    rooted[name] = `/root${path}`;
  }
  // Upstream's library lets `replace` create a missing key of an object that exists.
  if (operation['op'] === 'replace' && typeof rooted['path'] === 'string') {
    const { parent, value } = Pointer.fromJSON(rooted['path']).evaluate(holder);
    if (value === undefined && isJsonObject(parent)) rooted['op'] = 'add';
  }
  let failure: Error | null | undefined;
  try {
    [failure] = applyPatch(holder, [rooted as unknown as Operation]);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  if (failure) throw statusErrors.unprocessable();
}
