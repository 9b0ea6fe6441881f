/** A container's environment: upstream kubelet's makeEnvironmentVariables. Pure. */
import type { ConfigMap, Container, EnvVar, Pod, Secret } from '../api/generated/core-v1.ts';
import { ContainerStartError } from './container-error.ts';
import { expand } from './expansion.ts';
import { fieldRefValue, type PodPlace, resourceFieldValue } from './field-ref.ts';

/** The objects a Pod refers to, as they are now; undefined for one that does not exist. */
export interface ReferencedData {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
}

export interface EnvInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly data: ReferencedData;
  readonly place: PodPlace;
  /** See serviceEnv. */
  readonly services: ReadonlyMap<string, string>;
}

/** A value is text, or a Secret's bytes. */
export type EnvValue = string | Buffer;

function configError(message: string): ContainerStartError {
  return new ContainerStartError('CreateContainerConfigError', message);
}

/** Printable ASCII without `=`: other names a process cannot get. */
function isUsableName(name: string): boolean {
  return /^[ -<>-~]+$/.test(name);
}

/** The text or, where it is not UTF-8, the bytes of a Secret's value. */
function secretValue(base64: string): EnvValue {
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : bytes;
}

function fromSources(input: EnvInput): Map<string, EnvValue> {
  const result = new Map<string, EnvValue>();
  for (const { prefix = '', configMapRef, secretRef } of input.container.envFrom ?? []) {
    if (configMapRef !== undefined) {
      const configMap = input.data.configMap(configMapRef.name ?? '');
      if (configMap === undefined && configMapRef.optional !== true) {
        throw configError(`configmap "${configMapRef.name}" not found`);
      }
      for (const [key, value] of Object.entries(configMap?.data ?? {})) {
        if (isUsableName(prefix + key)) result.set(prefix + key, value);
      }
    }
    if (secretRef !== undefined) {
      const secret = input.data.secret(secretRef.name ?? '');
      if (secret === undefined && secretRef.optional !== true)
        throw configError(`secret "${secretRef.name}" not found`);
      for (const [key, value] of Object.entries(secret?.data ?? {})) {
        if (isUsableName(prefix + key)) result.set(prefix + key, secretValue(value));
      }
    }
  }
  return result;
}

/** The value a variable takes from elsewhere; undefined when an optional source is missing. */
function referencedValue(input: EnvInput, variable: EnvVar): EnvValue | undefined {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = variable.valueFrom ?? {};
  const namespace = input.pod.metadata.namespace ?? '';
  if (fieldRef !== undefined) return fieldRefValue(input.pod, fieldRef.fieldPath, input.place);
  if (resourceFieldRef !== undefined) {
    return resourceFieldValue(input.pod, input.container, resourceFieldRef, input.place);
  }
  if (configMapKeyRef !== undefined) {
    const { name = '', key, optional } = configMapKeyRef;
    const configMap = input.data.configMap(name);
    const value = configMap?.data?.[key];
    if (value !== undefined || optional === true) return value;
    if (configMap === undefined) throw configError(`configmap "${name}" not found`);
    throw configError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
  }
  if (secretKeyRef !== undefined) {
    const { name = '', key, optional } = secretKeyRef;
    const secret = input.data.secret(name);
    const value = secret?.data?.[key];
    if (value !== undefined) return secretValue(value);
    if (optional === true) return undefined;
    if (secret === undefined) throw configError(`secret "${name}" not found`);
    throw configError(`couldn't find key ${key} in Secret ${namespace}/${name}`);
  }
  return '';
}

/**
 * The variables of a container: `envFrom`, over them `env` with `$(NAME)` expanded from what stands before, beneath
 * them the Services'. Throws ContainerStartError when a required source is missing, FieldRefError for a bad reference.
 */
export function containerEnv(input: EnvInput): Map<string, EnvValue> {
  const result = fromSources(input);
  const lookup = (name: string): string | undefined => result.get(name)?.toString() ?? input.services.get(name);
  for (const variable of input.container.env ?? []) {
    if (variable.valueFrom === undefined) {
      result.set(variable.name, expand(variable.value ?? '', lookup));
      continue;
    }
    const value = referencedValue(input, variable);
    if (value !== undefined) result.set(variable.name, value);
  }
  for (const [name, value] of input.services) if (!result.has(name)) result.set(name, value);
  return result;
}
