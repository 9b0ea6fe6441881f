import type { Volume } from '../../api/generated/core-v1.ts';

interface PlacedFile {
  readonly path: string;
  /** What puts it there, in projected volumes. */
  readonly source: string;
}

/** Upstream's warningsForOverlappingVirtualPaths: files of a volume that hide one another. */
export function* overlappingPaths(volumes: readonly Volume[]): Generator<string, void> {
  for (const { name, configMap, secret, downwardAPI, projected } of volumes) {
    const warning = (what: string, text: string): string =>
      `volume ${JSON.stringify(name)} (${what}): overlapping paths: ${text}`;
    const sources = [
      [`ConfigMap ${JSON.stringify(configMap?.name ?? '')}`, configMap?.items],
      [`Secret ${JSON.stringify(secret?.secretName ?? '')}`, secret?.items],
      ['DownwardAPI', downwardAPI?.items],
    ] as const;
    for (const [what, items] of sources) {
      for (const text of collisions(placed(items ?? [], ''))) yield warning(what, text);
    }
    if (projected === undefined) continue;
    const files: PlacedFile[] = [];
    let last: readonly PlacedFile[] = [];
    for (const source of projected.sources ?? []) {
      if (Object.keys(source).length === 0) {
        yield `volume ${JSON.stringify(name)} (Projected) has no sources provided`;
        continue;
      }
      // A source that does not say which files it brings counts, as upstream has it, for those of the one before.
      last = projectedFiles(source) ?? last;
      files.push(...last);
    }
    for (const text of collisions(files)) yield warning('Projected', text);
  }
}

type Projection = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

function projectedFiles(source: Projection): readonly PlacedFile[] | undefined {
  const { configMap, secret, downwardAPI, serviceAccountToken: token, clusterTrustBundle: bundle } = source;
  if (configMap?.items !== undefined)
    return placed(configMap.items, `ConfigMap ${JSON.stringify(configMap.name ?? '')}`);
  if (secret?.items !== undefined) return placed(secret.items, `Secret ${JSON.stringify(secret.name ?? '')}`);
  if (downwardAPI?.items !== undefined) return placed(downwardAPI.items, 'DownwardAPI');
  if (token !== undefined) return placed([token], 'ServiceAccountToken');
  if (bundle === undefined) return undefined;
  return placed([bundle], `ClusterTrustBundle ${JSON.stringify(bundle.name ?? bundle.signerName ?? '')}`);
}

const placed = (items: readonly { readonly path: string }[], source: string): PlacedFile[] =>
  items.map(({ path }) => ({ path: path.replace(/\/+$/, ''), source }));

function* collisions(files: readonly PlacedFile[]): Generator<string, void> {
  for (const [index, file] of files.entries()) {
    for (const other of files.slice(0, index)) {
      if (hides(file.path, other.path)) yield `${fileText(file)} with ${fileText(other)}`;
    }
  }
}

const hides = (a: string, b: string): boolean => a === b || `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`);

const fileText = ({ path, source }: PlacedFile): string =>
  source === '' ? JSON.stringify(path) : `${JSON.stringify(path)} (${source})`;
