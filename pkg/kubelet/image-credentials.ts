/** Registry credentials out of image pull secrets: upstream's credentialprovider keyring. Pure. */
import type { Secret } from '../api/generated/core-v1.ts';
import type { MessageInit } from '../cri/types.ts';

interface DockerEntry {
  readonly username?: unknown;
  readonly password?: unknown;
  readonly auth?: unknown;
  readonly identitytoken?: unknown;
}

const DEFAULT_REGISTRY = 'docker.io';

/** Host and path of an image name: `docker.io/library/busybox` for `busybox:1`. */
export function imageRepository(image: string): string {
  const name = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const slash = name.indexOf('/');
  const host = slash < 0 ? '' : name.slice(0, slash);
  if (host.includes('.') || host.includes(':') || host === 'localhost') return name;
  return slash < 0 ? `${DEFAULT_REGISTRY}/library/${name}` : `${DEFAULT_REGISTRY}/${name}`;
}

/** A registry key of a docker config (`https://index.docker.io/v1/`, `registry.example/team`) as host and path. */
function normalizeRegistry(key: string): string {
  const bare = key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/$/, '');
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? DEFAULT_REGISTRY : bare;
}

/** Whether credentials for `registry` (its host may have `*` for a label) are meant for `repository`. */
function matches(registry: string, repository: string): boolean {
  const [host = '', ...path] = registry.split('/');
  const [imageHost = '', ...imagePath] = repository.split('/');
  const labels = host.split('.');
  const imageLabels = imageHost.split('.');
  const hostMatches =
    labels.length === imageLabels.length &&
    labels.every((label, index) => label === '*' || label === imageLabels[index]);
  return hostMatches && path.every((part, index) => part === imagePath[index]);
}

function toAuth(entry: DockerEntry, serverAddress: string): MessageInit<'AuthConfig'> {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const decoded = Buffer.from(text(entry.auth), 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return {
    username: text(entry.username) || (colon < 0 ? '' : decoded.slice(0, colon)),
    password: text(entry.password) || (colon < 0 ? '' : decoded.slice(colon + 1)),
    identityToken: text(entry.identitytoken),
    serverAddress,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The registries of a pull secret with their entries; empty for one that is malformed. */
function entriesOf(secret: Secret): [string, DockerEntry][] {
  const modern = secret.data?.['.dockerconfigjson'];
  const text = modern ?? secret.data?.['.dockercfg'];
  if (text === undefined) return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    // The pull itself will fail and say that access was denied.
    return [];
  }
  const table = modern !== undefined && isRecord(parsed) ? parsed['auths'] : parsed;
  return isRecord(table)
    ? Object.entries(table).filter((pair): pair is [string, DockerEntry] => isRecord(pair[1]))
    : [];
}

/** The credentials to try for `image`, the most specific registry first; empty to pull anonymously. */
export function credentialsFor(image: string, secrets: readonly Secret[]): MessageInit<'AuthConfig'>[] {
  const repository = imageRepository(image);
  return secrets
    .flatMap(entriesOf)
    .map(([key, entry]) => ({ registry: normalizeRegistry(key), key, entry }))
    .filter(({ registry }) => matches(registry, repository))
    .sort((a, b) => b.registry.length - a.registry.length)
    .map(({ key, entry }) => toAuth(entry, key));
}
