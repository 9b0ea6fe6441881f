import type { ProjectedVolumeSource, VolumeProjection } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, required, volumePath } from '../../validation/rules.ts';
import { fileMode, keyToPath, validateDownwardFile } from './volumes.ts';

const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;

/** Upstream's validateProjectedVolumeSource. */
export function* validateProjected(volume: ProjectedVolumeSource, path: FieldPath): Findings {
  yield* fileMode(volume.defaultMode, path.child('defaultMode'));
  const taken = new Set<string>();
  for (const [index, source] of (volume.sources ?? []).entries()) {
    const at = path.child('sources').index(index);
    const types = Object.keys(source);
    yield* validateProjection(source, taken, path, at);
    for (const other of types.slice(1)) {
      yield fieldError.forbidden(at.child(other), 'may not specify more than 1 volume type');
    }
  }
}

/** `path` is the volume's, which conflicting paths are told of; `at` the source's. */
function* validateProjection(source: VolumeProjection, taken: Set<string>, path: FieldPath, at: FieldPath): Findings {
  for (const type of ['secret', 'configMap'] as const) {
    const part = source[type];
    if (part === undefined) continue;
    yield* required(at.child(type, 'name'), part.name);
    for (const [index, item] of (part.items ?? []).entries()) {
      yield* keyToPath(item, at.child(type, 'items').index(index));
      if (item.path) yield* claimPath(item.path, part.name ?? '', taken, path);
    }
  }
  for (const file of source.downwardAPI?.items ?? []) {
    yield* validateDownwardFile(file, at.child('downwardAPI'));
    if (file.path) yield* claimPath(file.path, file.path, taken, path);
  }
  const token = source.serviceAccountToken;
  if (token !== undefined) {
    const where = at.child('serviceAccountToken');
    const seconds = token.expirationSeconds ?? 0;
    const expiration = where.child('expirationSeconds');
    if (seconds < MIN_TOKEN_SECONDS) {
      yield fieldError.invalid(expiration, seconds, 'may not specify a duration less than 10 minutes');
    }
    if (seconds > MAX_TOKEN_SECONDS) {
      yield fieldError.invalid(expiration, seconds, 'may not specify a duration larger than 2^32 seconds');
    }
    if (!token.path) yield fieldError.required(where.child('path'));
    else yield* volumePath(where.child('path'), token.path);
  }
  const bundle = source.clusterTrustBundle;
  if (bundle !== undefined) {
    const where = at.child('clusterTrustBundle');
    if ((bundle.name === undefined) === (bundle.signerName === undefined)) {
      const text = 'either name or signerName must be specified, but not both';
      yield bundle.name === undefined
        ? fieldError.required(where, text)
        : fieldError.invalid(where, bundle as never, text);
    }
    if (!bundle.path) yield fieldError.required(where.child('path'));
    else {
      yield* volumePath(where.child('path'), bundle.path);
      yield* claimPath(bundle.path, bundle.path, taken, path);
    }
  }
}

function* claimPath(file: string, told: string, taken: Set<string>, path: FieldPath): Findings {
  if (taken.has(file)) yield fieldError.invalid(path, told, 'conflicting duplicate paths');
  taken.add(file);
}
