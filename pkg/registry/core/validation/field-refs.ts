import type { ObjectFieldSelector, ResourceFieldSelector } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isQualifiedName } from '../../../apimachinery/names.ts';
import type { Findings } from '../../validation/rules.ts';

/** Fields of a Pod that its environment may show. */
export const ENV_FIELDS: readonly string[] = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

/** Fields of a Pod that a downward API volume may show. */
export const VOLUME_FIELDS: readonly string[] = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

/** All fields the downward API knows at all. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...ENV_FIELDS,
  ...VOLUME_FIELDS,
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.host',
  'status.phase',
]);

const SUBSCRIPT = /^(.+?)\['(.*)'\]$/s;

/** Upstream's validateObjectFieldSelector. */
export function* validateFieldRef(
  reference: ObjectFieldSelector,
  allowed: readonly string[],
  path: FieldPath,
): Findings {
  const { apiVersion, fieldPath } = reference;
  if (!apiVersion) return yield fieldError.required(path.child('apiVersion'));
  if (!fieldPath) return yield fieldError.required(path.child('fieldPath'));
  const subscripted = SUBSCRIPT.exec(fieldPath);
  const at = path.child('fieldPath');
  const unknown = fieldRefError(apiVersion, fieldPath, subscripted);
  if (unknown !== undefined) {
    return yield fieldError.invalid(at, fieldPath, `error converting fieldPath: ${unknown}`);
  }
  if (subscripted !== null) {
    const [, field = '', key = ''] = subscripted;
    const name = field === 'metadata.annotations' ? key.toLowerCase() : key;
    for (const text of isQualifiedName(name)) yield fieldError.invalid(path, name, text);
    return;
  }
  // The name that old clients have for it.
  const field = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath;
  if (!allowed.includes(field)) yield fieldError.notSupported(at, field, allowed);
}

function fieldRefError(version: string, field: string, subscripted: RegExpExecArray | null): string | undefined {
  if (version !== 'v1') return `unsupported pod version: ${version}`;
  if (subscripted !== null) {
    const base = subscripted[1];
    const takesOne = base === 'metadata.annotations' || base === 'metadata.labels';
    return takesOne ? undefined : `field label does not support subscript: ${field}`;
  }
  return KNOWN_FIELDS.has(field) ? undefined : `field label not supported: ${field}`;
}

const CONTAINER_AMOUNTS: readonly string[] = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const SIZE_DIVISORS = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

/** Upstream's validateContainerResourceFieldSelector; volumes have to name the container. */
export function* validateResourceFieldRef(
  reference: ResourceFieldSelector,
  inVolume: boolean,
  path: FieldPath,
): Findings {
  const { containerName, resource, divisor } = reference;
  if (inVolume && !containerName) yield fieldError.required(path.child('containerName'));
  else if (!resource) yield fieldError.required(path.child('resource'));
  else if (!CONTAINER_AMOUNTS.includes(resource) && !/^(requests|limits)\.hugepages-/.test(resource)) {
    yield fieldError.notSupported(path.child('resource'), resource, CONTAINER_AMOUNTS);
  }
  if (divisor === undefined || divisor === '0') return;
  const kind = resource.replace(/^(limits|requests)\./, '');
  const refuse = (list: string, what: string) =>
    fieldError.invalid(
      path.child('divisor'),
      resource,
      `only divisor's values ${list} are supported with the ${what} resource`,
    );
  if (kind === 'cpu') {
    if (divisor !== '1m' && divisor !== '1') yield refuse('1m and 1', 'cpu');
  } else if (!SIZE_DIVISORS.includes(divisor)) {
    const list = SIZE_DIVISORS.join(', ');
    if (kind === 'memory') yield refuse(list, 'memory');
    if (kind === 'ephemeral-storage') yield refuse(list, 'local ephemeral storage');
    if (kind.startsWith('hugepages-')) yield refuse(list, 'hugepages');
  }
}
