import type { EnvFromSource, EnvVar, EnvVarSource, FileKeySelector, PodSpec } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isConfigMapKey, isEnvVarName, nameIsDnsSubdomain } from '../../../apimachinery/names.ts';
import { dnsLabel, dnsSubdomain, each, type Findings, noBacksteps } from '../../validation/rules.ts';
import { allContainers } from './all-containers.ts';
import { ENV_FIELDS, validateFieldRef, validateResourceFieldRef } from './field-refs.ts';

const MORE_THAN_ONE = 'may not have more than one field specified at a time';

/** Upstream's ValidateEnv. */
export function* validateEnv(variables: readonly EnvVar[], path: FieldPath): Findings {
  for (const [index, variable] of variables.entries()) {
    const at = path.index(index);
    if (!variable.name) yield fieldError.required(at.child('name'));
    else yield* each(at.child('name'), variable.name, isEnvVarName);
    if (variable.valueFrom !== undefined) {
      yield* validateSource(variable.valueFrom, variable.value ?? '', at.child('valueFrom'));
    }
  }
}

function* validateSource(source: EnvVarSource, value: string, path: FieldPath): Findings {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source;
  const given = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(Boolean).length;
  if (fieldRef !== undefined) yield* validateFieldRef(fieldRef, ENV_FIELDS, path.child('fieldRef'));
  if (resourceFieldRef !== undefined) {
    yield* validateResourceFieldRef(resourceFieldRef, false, path.child('resourceFieldRef'));
  }
  if (configMapKeyRef !== undefined) yield* keyRef(configMapKeyRef, path.child('configMapKeyRef'));
  if (secretKeyRef !== undefined) yield* keyRef(secretKeyRef, path.child('secretKeyRef'));
  if (fileKeyRef !== undefined) yield* fileRef(fileKeyRef, path.child('fileKeyRef'));
  if (given === 0) {
    const text = 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';
    yield fieldError.invalid(path, '', text);
  } else if (value !== '') {
    yield fieldError.invalid(path, '', 'may not be specified when `value` is not empty');
  } else if (given > 1) {
    yield fieldError.invalid(path, '', MORE_THAN_ONE);
  }
}

function* keyRef(reference: { name?: string | undefined; key: string }, path: FieldPath): Findings {
  yield* dnsSubdomain(path.child('name'), reference.name ?? '');
  if (!reference.key) yield fieldError.required(path.child('key'));
  else yield* each(path.child('key'), reference.key, isConfigMapKey);
}

function* fileRef({ key, volumeName, path: file }: FileKeySelector, path: FieldPath): Findings {
  if (!key) yield fieldError.required(path.child('key'));
  else yield* each(path.child('key'), key, isEnvVarName);
  if (!volumeName) yield fieldError.required(path.child('volumeName'));
  else yield* dnsLabel(path.child('volumeName'), volumeName);
  if (!file) yield fieldError.required(path.child('path'));
  else yield* noBacksteps(path.child('path'), file);
}

/** Upstream's validateFileKeyRefVolumes: variables come from files of the Pod's own emptyDirs. */
export function* validateFileVolumes(spec: PodSpec, path: FieldPath): Findings {
  const volumes = new Map((spec.volumes ?? []).map((volume) => [volume.name, volume]));
  for (const [container, at] of allContainers(spec, path)) {
    for (const [index, { valueFrom }] of (container.env ?? []).entries()) {
      const name = valueFrom?.fileKeyRef?.volumeName;
      if (name === undefined) continue;
      const where = at.child('env').index(index).child('valueFrom', 'fileKeyRef', 'volumeName');
      const volume = volumes.get(name);
      if (volume === undefined) yield fieldError.notFound(where, name);
      else if (volume.emptyDir === undefined) {
        yield fieldError.invalid(where, name, 'referenced volume must be of type emptyDir');
      }
    }
  }
}

/** Upstream's ValidateEnvFrom. */
export function* validateEnvFrom(sources: readonly EnvFromSource[], path: FieldPath): Findings {
  for (const [index, { prefix, configMapRef, secretRef }] of sources.entries()) {
    const at = path.index(index);
    if (prefix) yield* each(at.child('prefix'), prefix, isEnvVarName);
    if (configMapRef !== undefined) yield* sourceName(configMapRef.name, at.child('configMapRef', 'name'));
    if (secretRef !== undefined) yield* sourceName(secretRef.name, at.child('secretRef', 'name'));
    if (configMapRef === undefined && secretRef === undefined) {
      yield fieldError.invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`');
    } else if (configMapRef !== undefined && secretRef !== undefined) {
      yield fieldError.invalid(path, '', MORE_THAN_ONE);
    }
  }
}

/** Upstream judges it like a generateName, whose last character may be a dash. */
function* sourceName(name: string | undefined, path: FieldPath): Findings {
  if (!name) yield fieldError.required(path);
  else for (const text of nameIsDnsSubdomain(name, true)) yield fieldError.invalid(path, name, text);
}
