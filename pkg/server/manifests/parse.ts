import type { Json } from '../../api/schema.ts';
import { parseYamlDocuments } from '../../apimachinery/yaml.ts';

/** One object of a manifest. */
export interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Undefined for objects without a namespace, and for those that leave it to kedge. */
  readonly namespace: string | undefined;
  readonly body: { readonly [key: string]: Json };
}

/** Which object of the cluster is meant. */
export type ObjectKey = Omit<ManifestObject, 'body'>;

/** Kinds that others of the same file need, in the order in which they are applied; all others follow. */
const FIRST = ['Namespace', 'CustomResourceDefinition', 'PriorityClass', 'StorageClass', 'ServiceAccount'];

/**
 * The objects of a manifest, YAML or JSON, of one or many documents; Lists are taken apart. Those that others need come
 * first. Throws an Error that says what is wrong and in which object.
 */
export function parseManifest(text: string): ManifestObject[] {
  const objects: ManifestObject[] = [];
  for (const { value, duplicates } of parseYamlDocuments(text)) {
    const [duplicate] = duplicates;
    if (duplicate !== undefined) throw new Error(duplicate);
    collect(value, objects);
  }
  const rank = ({ kind }: ManifestObject): number => (FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length);
  return objects.sort((a, b) => rank(a) - rank(b));
}

function collect(value: Json, into: ManifestObject[]): void {
  if (!isRecord(value)) throw new Error('a document is no object of the API: it has no apiVersion and kind');
  const { apiVersion, kind, metadata, items } = value;
  if (typeof apiVersion !== 'string' || apiVersion === '') throw new Error('an object has no apiVersion');
  if (typeof kind !== 'string' || kind === '') throw new Error(`an object of ${apiVersion} has no kind`);
  if (kind.endsWith('List') && Array.isArray(items)) {
    for (const item of items) collect(item, into);
    return;
  }
  const { name, namespace } = isRecord(metadata) ? metadata : {};
  if (typeof name !== 'string' || name === '') throw new Error(`an object of kind ${kind} has no metadata.name`);
  into.push({
    apiVersion,
    kind,
    name,
    namespace: typeof namespace === 'string' && namespace !== '' ? namespace : undefined,
    body: value,
  });
}

function isRecord(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of what was applied before, that which a manifest no longer has. */
export function dropped(before: readonly ObjectKey[], now: readonly ObjectKey[]): ObjectKey[] {
  // The same object in another version of its group is the same object.
  const keyOf = ({ apiVersion, kind, name, namespace }: ObjectKey): string =>
    JSON.stringify([apiVersion.includes('/') ? apiVersion.split('/')[0] : '', kind, namespace ?? '', name]);
  const kept = new Set(now.map(keyOf));
  return before.filter((key) => !kept.has(keyOf(key)));
}
