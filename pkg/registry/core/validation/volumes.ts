import type {
  DownwardAPIVolumeFile,
  KeyToPath,
  PersistentVolumeClaimTemplate,
  Volume,
} from '../../../api/generated/core-v1.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
import { isDns1123Subdomain } from '../../../apimachinery/names.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import {
  dnsLabel,
  dnsSubdomain,
  type Findings,
  noBacksteps,
  oneOf,
  required,
  volumePath,
} from '../../validation/rules.ts';
import { validateTemplateMetadata } from '../../validation/template-metadata.ts';
import { validateClaimSpec } from './claim-spec.ts';
import { VOLUME_FIELDS, validateFieldRef, validateResourceFieldRef } from './field-refs.ts';
import { validateProjected } from './projected-volume.ts';
import { ISCSI_NAME_TEXT, isISCSINameTooLong, validatePluginSource } from './volume-plugins.ts';

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const FILE_MODE_TEXT = 'must be a number between 0 and 0777 (octal), both inclusive';

/** Sources of a volume, in upstream's order. */
const SOURCES = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
] as const satisfies readonly (keyof Volume)[];

const ONE_TYPE = 'may not specify more than 1 volume type';
/** What upstream calls some sources in messages: of their own faults, and of being one too many. */
export const sourcePath = (source: string): string => (source === 'gcePersistentDisk' ? 'persistentDisk' : source);
export const surplusPath = (source: string): string => (source === 'cephfs' ? 'cephFS' : source);

/** Whose volumes they are. */
export interface VolumeOwner {
  /** The name of the Pod, if it is one that stands for itself. */
  readonly podName: string | undefined;
  readonly isPod: boolean;
}

/** The volumes that are valid, by name, and what is wrong with the others (upstream's ValidateVolumes). */
export function validateVolumes(
  volumes: readonly Volume[],
  owner: VolumeOwner,
  path: FieldPath,
): { readonly valid: ReadonlyMap<string, Volume>; readonly errors: FieldError[] } {
  const valid = new Map<string, Volume>();
  const errors: FieldError[] = [];
  const created = new Set(
    volumes.filter(({ ephemeral }) => ephemeral !== undefined).map(({ name }) => `${owner.podName}-${name}`),
  );
  for (const [index, volume] of volumes.entries()) {
    const at = path.index(index);
    const found = [...validateVolume(volume, owner, at)];
    if (valid.has(volume.name)) found.push(fieldError.duplicate(at.child('name'), volume.name));
    if (found.length === 0) valid.set(volume.name, volume);
    errors.push(...found);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (owner.podName && claim !== undefined && created.has(claim)) {
      const text = 'must not reference a PVC that gets created for an ephemeral volume';
      errors.push(fieldError.invalid(at.child('persistentVolumeClaim', 'claimName'), claim, text));
    }
  }
  return { valid, errors };
}

function* validateVolume(volume: Volume, owner: VolumeOwner, path: FieldPath): Findings {
  const [first, ...others] = SOURCES.filter((source) => volume[source] !== undefined);
  if (first === undefined) yield fieldError.required(path, 'must specify a volume type');
  else {
    yield* validateSource(volume, first, owner, path.child(sourcePath(first)));
    yield* initiatorName(volume, path);
    if (first === 'ephemeral' && owner.podName && volume.name) {
      const claim = `${owner.podName}-${volume.name}`;
      for (const text of isDns1123Subdomain(claim)) {
        yield fieldError.invalid(path.child('name'), volume.name, `PVC name ${goQuote(claim)}: ${text}`);
      }
    }
  }
  for (const other of others) {
    yield fieldError.forbidden(path.child(other === 'downwardAPI' ? 'downwarAPI' : surplusPath(other)), ONE_TYPE);
  }
  if (!volume.name) yield fieldError.required(path.child('name'));
  else yield* dnsLabel(path.child('name'), volume.name);
}

function* initiatorName({ iscsi, name }: Volume, path: FieldPath): Findings {
  if (isISCSINameTooLong(iscsi, name)) yield fieldError.invalid(path.child('name'), name, ISCSI_NAME_TEXT);
}

function* validateSource(
  volume: Volume,
  source: (typeof SOURCES)[number],
  { isPod }: VolumeOwner,
  path: FieldPath,
): Findings {
  const { emptyDir, hostPath, secret, configMap, downwardAPI, projected, csi, ephemeral, image } = volume;
  switch (source) {
    case 'emptyDir': {
      const limit = emptyDir?.sizeLimit;
      if (limit !== undefined && parseQuantity(limit).nanos < 0n) {
        const text = 'SizeLimit field must be a valid resource quantity';
        yield fieldError.forbidden(path.child('sizeLimit'), text);
      }
      break;
    }
    case 'hostPath':
      if (hostPath !== undefined) yield* validateHostPath(hostPath, path);
      break;
    case 'secret':
      yield* required(path.child('secretName'), secret?.secretName);
      yield* validateFiles(secret?.defaultMode, secret?.items, path);
      break;
    case 'configMap':
      yield* required(path.child('name'), configMap?.name);
      yield* validateFiles(configMap?.defaultMode, configMap?.items, path);
      break;
    case 'downwardAPI':
      yield* fileMode(downwardAPI?.defaultMode, path.child('defaultMode'));
      for (const file of downwardAPI?.items ?? []) yield* validateDownwardFile(file, path);
      break;
    case 'projected':
      if (projected !== undefined) yield* validateProjected(projected, path);
      break;
    case 'csi': {
      yield* csiDriverName(csi?.driver ?? '', path.child('driver'));
      const secretName = csi?.nodePublishSecretRef?.name;
      if (csi?.nodePublishSecretRef === undefined) break;
      if (!secretName) yield fieldError.required(path.child('nodePublishSecretRef', 'name'));
      else yield* dnsSubdomain(path.child('name'), secretName);
      break;
    }
    case 'ephemeral': {
      const template = path.child('volumeClaimTemplate');
      if (ephemeral?.volumeClaimTemplate === undefined) yield fieldError.required(template);
      else yield* validateClaimTemplate(ephemeral.volumeClaimTemplate, template);
      break;
    }
    case 'image':
      if (isPod) yield* required(path.child('reference'), image?.reference);
      yield* oneOf(path.child('pullPolicy'), image?.pullPolicy, PULL_POLICIES);
      break;
    default:
      yield* validatePluginSource(volume, source, path);
  }
}

/** Upstream's ValidatePersistentVolumeClaimTemplate: of the metadata, labels and annotations only may be there. */
function* validateClaimTemplate({ metadata, spec }: PersistentVolumeClaimTemplate, path: FieldPath): Findings {
  yield* validateTemplateMetadata(metadata, path.child('metadata'));
  yield* validateClaimSpec(spec, path.child('spec'));
}

/** A node's own folder; for Pods and for PersistentVolumes. */
export function* validateHostPath(
  source: { readonly path: string; readonly type?: string | undefined },
  path: FieldPath,
): Findings {
  if (!source.path) return yield fieldError.required(path.child('path'));
  yield* noBacksteps(path.child('path'), source.path);
  if (source.type !== undefined && !HOST_PATH_TYPES.includes(source.type)) {
    yield fieldError.notSupported(path.child('type'), source.type, HOST_PATH_TYPES);
  }
}

export function* csiDriverName(name: string, path: FieldPath): Findings {
  if (!name) yield fieldError.required(path);
  if (name.length > 63) yield fieldError.tooLong(path, 63);
  for (const text of isDns1123Subdomain(name.toLowerCase())) yield fieldError.invalid(path, name, text);
}

export function* fileMode(mode: number | undefined, path: FieldPath): Findings {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) yield fieldError.invalid(path, mode, FILE_MODE_TEXT);
}

function* validateFiles(mode: number | undefined, items: readonly KeyToPath[] | undefined, path: FieldPath): Findings {
  yield* fileMode(mode, path.child('defaultMode'));
  for (const [index, item] of (items ?? []).entries()) yield* keyToPath(item, path.child('items').index(index));
}

export function* keyToPath(item: KeyToPath, path: FieldPath): Findings {
  yield* required(path.child('key'), item.key);
  yield* required(path.child('path'), item.path);
  if (item.path) yield* volumePath(path.child('path'), item.path);
  yield* fileMode(item.mode, path.child('mode'));
}

/** Upstream's validateDownwardAPIVolumeFile. */
export function* validateDownwardFile(file: DownwardAPIVolumeFile, path: FieldPath): Findings {
  yield* required(path.child('path'), file.path);
  yield* volumePath(path.child('path'), file.path);
  if (file.fieldRef !== undefined) {
    yield* validateFieldRef(file.fieldRef, VOLUME_FIELDS, path.child('fieldRef'));
    if (file.resourceFieldRef !== undefined) {
      const text = 'fieldRef and resourceFieldRef can not be specified simultaneously';
      yield fieldError.invalid(path, 'resource', text);
    }
  } else if (file.resourceFieldRef !== undefined) {
    yield* validateResourceFieldRef(file.resourceFieldRef, true, path.child('resourceFieldRef'));
  } else {
    yield fieldError.required(path, 'one of fieldRef and resourceFieldRef is required');
  }
  yield* fileMode(file.mode, path.child('mode'));
}
