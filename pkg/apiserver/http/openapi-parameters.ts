/** Parameters that many operations of a Swagger 2 document share (upstream: kube-openapi's deduplicateParameters). */
import type { Json, JsonObject } from '../../api/schema.ts';
import { isJsonObject } from '../../apimachinery/json.ts';

/** Older versions of kubectl look for these where they are used. */
const LOOKED_FOR: ReadonlySet<string> = new Set(['fieldValidation', 'dryRun']);
const MACHINERY = '#/definitions/io.k8s.apimachinery';

/** Replaces the parameters within `paths` that are no operation's own by references, and gives those by name. */
export function shareParameters(paths: JsonObject): JsonObject {
  const shared = new Map<string, JsonObject>();
  const names = new Map<string, string>();
  const replace = (holder: JsonObject): void => {
    if (!Array.isArray(holder['parameters'])) return;
    holder['parameters'] = holder['parameters'].map((parameter) => {
      if (!isJsonObject(parameter) || isOwn(parameter)) return parameter;
      const text = JSON.stringify(parameter);
      const name = names.get(text) ?? `${String(parameter['name'])}-${fnvHash(text)}`;
      names.set(text, name);
      shared.set(name, parameter);
      return { $ref: `#/parameters/${name}` };
    });
  };
  for (const item of Object.values(paths)) {
    if (!isJsonObject(item)) continue;
    replace(item);
    for (const operation of Object.values(item)) if (isJsonObject(operation)) replace(operation);
  }
  return Object.fromEntries([...shared].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Names say of what kind they are, and bodies are of a kind. */
function isOwn({ name, in: place, schema }: JsonObject): boolean {
  if (place === 'body') return !String(refOf(schema)).startsWith(MACHINERY);
  return name === 'name' || (place === 'query' && LOOKED_FOR.has(String(name)));
}

const refOf = (schema: Json | undefined): Json | undefined => (isJsonObject(schema) ? schema['$ref'] : undefined);

const PRIME = 0x100000001b3n;
const OFFSET = 0xcbf29ce484222325n;

/** Six bytes of FNV-1 in 64 bits, in base64. */
function fnvHash(text: string): string {
  let hash = OFFSET;
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, hash * PRIME) ^ BigInt(byte);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(hash);
  return bytes.subarray(0, 6).toString('base64url');
}
