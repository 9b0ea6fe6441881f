/** JSON patches (RFC 6902) with the apiserver's limits and its one answer to a patch that does not apply. */
import { applyPatch, type Operation, Pointer } from 'rfc6902';
import type { Json, JsonObject } from '../../api/schema.ts';
import { cloneJson, getKey, isJsonObject } from '../json.ts';
import { statusErrors } from '../status-error.ts';

export const MAX_JSON_PATCH_OPERATIONS = 10_000;

/** `copy` may not blow an object up beyond what a request body may hold (bytes). */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;

/**
 * The object with the patch applied; `object` itself stays as it is. Throws a StatusError: 400 when `patch` is no list
 * of operations, 413 for too many of them, 422 when one fails.
 */
export function applyJsonPatch(object: JsonObject, patch: Json): JsonObject {
  if (!Array.isArray(patch)) throw undecodable(patch, '[]handlers.jsonPatchOp');
  for (const operation of patch) {
    if (!isJsonObject(operation) && operation !== null) throw undecodable(operation, 'handlers.jsonPatchOp');
  }
  if (patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw statusErrors.requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`,
    );
  }
  const result: { root: Json } = { root: cloneJson(object) };
  let copied = 0;
  for (const operation of patch) {
    if (!isJsonObject(operation)) throw statusErrors.unprocessable();
    if (operation['op'] === 'copy' && typeof operation['from'] === 'string') {
      copied += (JSON.stringify(valueAt(result.root, operation['from'])) ?? '').length;
      if (copied > MAX_COPIED_BYTES) throw statusErrors.unprocessable();
    }
    applyOperation(result, operation);
  }
  if (!isJsonObject(result.root)) throw statusErrors.unprocessable();
  return result.root;
}

function undecodable(value: Json, type: string): Error {
  const what = Array.isArray(value) ? 'array' : isJsonObject(value) ? 'object' : typeof value;
  return statusErrors.badRequest(
    `error decoding patch: json: cannot unmarshal ${what === 'boolean' ? 'bool' : what} into Go value of type ${type}`,
  );
}

function valueAt(root: Json, path: string): unknown {
  return path === '' || path.startsWith('/') ? Pointer.fromJSON(path).evaluate(root).value : undefined;
}

/**
 * A path as RFC 6902 has it. Upstream's library takes more: what stands before the first slash counts for nothing,
 * indexes may begin with zeros, and negative ones count from the end.
 */
function plainPath(path: string, root: Json, adds: boolean): string {
  if (path === '') return path;
  const [, ...tokens] = path.split('/');
  if (tokens.length === 0) throw statusErrors.unprocessable();
  let container: Json | undefined = root;
  const plain = tokens.map((token, at) => {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!Array.isArray(container) || !/^-?\d+$/.test(name)) {
      container = isJsonObject(container) ? getKey(container, name) : undefined;
      return token;
    }
    const end = container.length + (adds && at === tokens.length - 1 ? 1 : 0);
    const index = Number(name) < 0 ? Number(name) + end : Number(name);
    container = container[index];
    return String(index);
  });
  return `/${plain.join('/')}`;
}

/** One operation, on `holder.root` so that the root itself can be replaced; unprocessable when it fails. */
function applyOperation(holder: { root: Json }, operation: JsonObject): void {
  const rooted: JsonObject = { ...operation };
  for (const name of ['path', 'from']) {
    const path = operation[name];
    if (path === undefined) continue;
    if (typeof path !== 'string') throw statusErrors.unprocessable();
    rooted[name] = `/root${plainPath(path, holder.root, name === 'path' && operation['op'] === 'add')}`;
  }
  if (operation['op'] === 'test' && (operation['value'] ?? null) === null && typeof rooted['path'] === 'string') {
    // A key that is not there is as good as null.
    const { parent, value } = Pointer.fromJSON(rooted['path']).evaluate(holder);
    if (value === undefined && isJsonObject(parent)) return;
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
