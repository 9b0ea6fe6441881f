import type { EnvFromSource, EnvVar, EnvVarSource } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isConfigMapKey, isEnvVarName } from '../../../apimachinery/names.ts';
import { each, type Findings, required } from '../../validation/rules.ts';
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
  yield* required(path.child('name'), reference.name);
  if (!reference.key) yield fieldError.required(path.child('key'));
  else yield* each(path.child('key'), reference.key, isConfigMapKey);
}

/** Upstream's ValidateEnvFrom. */
export function* validateEnvFrom(sources: readonly EnvFromSource[], path: FieldPath): Findings {
  for (const [index, { prefix, configMapRef, secretRef }] of sources.entries()) {
    const at = path.index(index);
    if (prefix) yield* each(at.child('prefix'), prefix, isEnvVarName);
    if (configMapRef !== undefined) yield* required(at.child('configMapRef', 'name'), configMapRef.name);
    if (secretRef !== undefined) yield* required(at.child('secretRef', 'name'), secretRef.name);
    if (configMapRef === undefined && secretRef === undefined) {
      yield fieldError.invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`');
    } else if (configMapRef !== undefined && secretRef !== undefined) {
      yield fieldError.invalid(path, '', MORE_THAN_ONE);
    }
  }
}
