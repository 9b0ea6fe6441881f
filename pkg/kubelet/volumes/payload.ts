/** The files of volumes made from API objects: upstream's configmap, secret, downwardapi and projected plugins. Pure. */
import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  ProjectedVolumeSource,
  Secret,
  ServiceAccountTokenProjection,
  Volume,
} from '../../api/generated/core-v1.ts';
import type { ReferencedData } from '../env.ts';
import { fieldRefValue, type PodPlace, resourceFieldValue } from '../field-ref.ts';

export interface PayloadFile {
  readonly data: Buffer;
  /** Permission bits. */
  readonly mode: number;
  /** The owner, where the file must not be root's. */
  readonly uid?: number | undefined;
}

/** Files by path relative to the volume. */
export type Payload = Map<string, PayloadFile>;

export interface PayloadInput {
  readonly pod: Pod;
  readonly data: ReferencedData;
  readonly place: PodPlace;
  /** The present token of each service account projection. */
  readonly token: (source: ServiceAccountTokenProjection) => string;
}

/** A volume that cannot be filled: something it refers to is missing. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
}

const DEFAULT_MODE = 0o644;
const PRIVATE_MODE = 0o600;

interface Projection {
  readonly items?: readonly KeyToPath[] | undefined;
  readonly optional?: boolean | undefined;
}

function addKeys(
  payload: Payload,
  content: ReadonlyMap<string, Buffer>,
  source: Projection,
  defaultMode: number,
  kind: 'config' | 'secret',
): void {
  if ((source.items ?? []).length === 0) {
    for (const [key, data] of content) payload.set(key, { data, mode: defaultMode });
    return;
  }
  for (const { key, path, mode } of source.items ?? []) {
    const data = content.get(key);
    if (data !== undefined) payload.set(path, { data, mode: mode ?? defaultMode });
    else if (source.optional !== true) throw new PayloadError(`references non-existent ${kind} key: ${key}`);
  }
}

function configMapContent(configMap: ConfigMap | undefined): Map<string, Buffer> {
  return new Map([
    ...Object.entries(configMap?.data ?? {}).map(([key, text]) => [key, Buffer.from(text)] as const),
    ...Object.entries(configMap?.binaryData ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const),
  ]);
}

function secretContent(secret: Secret | undefined): Map<string, Buffer> {
  return new Map(Object.entries(secret?.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const));
}

function addConfigMap(payload: Payload, input: PayloadInput, name: string, source: Projection, mode: number): void {
  const configMap = input.data.configMap(name);
  if (configMap === undefined && source.optional !== true) throw new PayloadError(`configmap "${name}" not found`);
  addKeys(payload, configMapContent(configMap), source, mode, 'config');
}

function addSecret(payload: Payload, input: PayloadInput, name: string, source: Projection, mode: number): void {
  const secret = input.data.secret(name);
  if (secret === undefined && source.optional !== true) throw new PayloadError(`secret "${name}" not found`);
  addKeys(payload, secretContent(secret), source, mode, 'secret');
}

function addDownwardAPI(
  payload: Payload,
  input: PayloadInput,
  items: readonly DownwardAPIVolumeFile[],
  mode: number,
): void {
  for (const item of items) {
    const { fieldRef, resourceFieldRef } = item;
    let text = '';
    if (fieldRef !== undefined) text = fieldRefValue(input.pod, fieldRef.fieldPath, input.place);
    else if (resourceFieldRef !== undefined) {
      text = resourceFieldValue(input.pod, undefined, resourceFieldRef, input.place);
    }
    payload.set(item.path, { data: Buffer.from(text), mode: item.mode ?? mode });
  }
}

/** The one user that all containers of the Pod run as; undefined when they differ or none is set. */
function commonUser(pod: Pod): number | undefined {
  const shared = pod.spec.securityContext?.runAsUser;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const users = new Set(containers.map((container) => container.securityContext?.runAsUser ?? shared));
  return users.size === 1 ? [...users][0] : undefined;
}

function addProjected(payload: Payload, input: PayloadInput, projected: ProjectedVolumeSource): void {
  const mode = projected.defaultMode ?? DEFAULT_MODE;
  for (const source of projected.sources ?? []) {
    if (source.configMap !== undefined) {
      addConfigMap(payload, input, source.configMap.name ?? '', source.configMap, mode);
    } else if (source.secret !== undefined) {
      addSecret(payload, input, source.secret.name ?? '', source.secret, mode);
    } else if (source.downwardAPI !== undefined) {
      addDownwardAPI(payload, input, source.downwardAPI.items ?? [], mode);
    } else if (source.serviceAccountToken !== undefined) {
      const uid = commonUser(input.pod);
      // A token that can be given to its user alone is; otherwise the volume's mode has to do.
      const own = uid !== undefined || input.pod.spec.securityContext?.fsGroup !== undefined;
      const data = Buffer.from(input.token(source.serviceAccountToken));
      payload.set(source.serviceAccountToken.path, { data, mode: own ? PRIVATE_MODE : mode, uid });
    } else {
      throw new PayloadError('projects a source that is not supported');
    }
  }
}

/** Whether the volume's content comes from API objects. */
export function isPayloadVolume(volume: Volume): boolean {
  const { configMap, secret, downwardAPI, projected } = volume;
  return [configMap, secret, downwardAPI, projected].some((source) => source !== undefined);
}

/** The files of `volume`. Throws PayloadError when something required is missing, FieldRefError for a bad reference. */
export function volumePayload(volume: Volume, input: PayloadInput): Payload {
  const payload: Payload = new Map();
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) {
    addConfigMap(payload, input, configMap.name ?? '', configMap, configMap.defaultMode ?? DEFAULT_MODE);
  } else if (secret !== undefined) {
    addSecret(payload, input, secret.secretName ?? '', secret, secret.defaultMode ?? DEFAULT_MODE);
  } else if (downwardAPI !== undefined) {
    addDownwardAPI(payload, input, downwardAPI.items ?? [], downwardAPI.defaultMode ?? DEFAULT_MODE);
  } else if (projected !== undefined) {
    addProjected(payload, input, projected);
  }
  for (const path of payload.keys()) {
    if (path === '' || path.startsWith('/') || path.split('/').includes('..')) {
      throw new PayloadError(`invalid path "${path}"`);
    }
  }
  return payload;
}
