import type { DownwardAPIVolumeFile, KeyToPath, Volume } from '../../../api/generated/core-v1.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import { dnsLabel, dnsSubdomain, type Findings, noBacksteps, required, volumePath } from '../../validation/rules.ts';
import { validateClaimSpec } from './claim-spec.ts';
import { VOLUME_FIELDS, validateFieldRef, validateResourceFieldRef } from './field-refs.ts';
import { validateProjected } from './projected-volume.ts';
import { validatePluginSource } from './volume-plugins.ts';

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
const FILE_MODE_TEXT = 'must be a number between 0 and 0777 (octal), both inclusive';

/** The volumes that are valid, by name, and what is wrong with the others (upstream's ValidateVolumes). */
export function validateVolumes(
  volumes: readonly Volume[],
  path: FieldPath,
): { readonly valid: ReadonlyMap<string, Volume>; readonly errors: FieldError[] } {
  const valid = new Map<string, Volume>();
  const errors: FieldError[] = [];
  for (const [index, volume] of volumes.entries()) {
    const at = path.index(index);
    const found = [...validateVolume(volume, at)];
    if (valid.has(volume.name)) found.push(fieldError.duplicate(at.child('name'), volume.name));
    if (found.length === 0) valid.set(volume.name, volume);
    errors.push(...found);
  }
  return { valid, errors };
}

function* validateVolume(volume: Volume, path: FieldPath): Findings {
  const sources = Object.keys(volume).filter((key) => key !== 'name' && volume[key as keyof Volume] !== undefined);
  // Sources are looked at in upstream's order, which begins with this one.
  if (volume.emptyDir !== undefined) sources.unshift(...sources.splice(sources.indexOf('emptyDir'), 1));
  const [first, ...others] = sources;
  if (first === undefined) yield fieldError.required(path, 'must specify a volume type');
  else yield* validateSource(volume, first, path.child(first));
  for (const other of others) {
    yield fieldError.forbidden(path.child(other), 'may not specify more than 1 volume type');
  }
  if (!volume.name) yield fieldError.required(path.child('name'));
  else yield* dnsLabel(path.child('name'), volume.name);
}

function* validateSource(volume: Volume, source: string, path: FieldPath): Findings {
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
    case 'csi':
      if (csi !== undefined) {
        yield* csiDriverName(csi.driver, path.child('driver'));
        if (csi.nodePublishSecretRef !== undefined) {
          yield* required(path.child('nodePublishSecretRef', 'name'), csi.nodePublishSecretRef.name);
        }
      }
      break;
    case 'ephemeral': {
      const template = path.child('volumeClaimTemplate');
      if (ephemeral?.volumeClaimTemplate === undefined) yield fieldError.required(template);
      else yield* validateClaimSpec(ephemeral.volumeClaimTemplate.spec, template.child('spec'));
      break;
    }
    case 'image':
      yield* required(path.child('reference'), image?.reference);
      break;
    default:
      yield* validatePluginSource(volume, source, path);
  }
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
  yield* dnsSubdomain(path, name.toLowerCase());
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
