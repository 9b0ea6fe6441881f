import type { Pod } from '../../api/generated/core-v1.ts';
import { type FieldError, fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { nonNegative } from '../../registry/validation/rules.ts';

/** The container a log, exec or attach request is about; throws BadRequest when it has to be named and is not. */
export function podContainer(pod: Pod, asked: string | undefined): string {
  const { name } = pod.metadata;
  const plain = pod.spec.containers.map((container) => container.name);
  const init = (pod.spec.initContainers ?? []).map((container) => container.name);
  const ephemeral = (pod.spec.ephemeralContainers ?? []).map((container) => container.name);
  if (asked !== undefined && asked !== '') {
    if ([...plain, ...init, ...ephemeral].includes(asked)) return asked;
    throw statusErrors.badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only] = plain;
  if (plain.length === 1 && init.length === 0 && only !== undefined) return only;
  const preferred = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  if (preferred !== undefined && plain.includes(preferred)) return preferred;
  if (plain.length === 1 && only !== undefined && init.length > 0) {
    throw statusErrors.badRequest(
      `a container name must be specified for pod ${name}, choose one of: [${plain.join(' ')}] or one of the init containers: [${init.join(' ')}]`,
    );
  }
  const more = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : '';
  throw statusErrors.badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${plain.join(' ')}]${more}`,
  );
}

const LOG_OPTIONS = [
  'follow',
  'previous',
  'timestamps',
  'sinceSeconds',
  'sinceTime',
  'tailLines',
  'limitBytes',
  'stream',
];

/** The query the kubelet's /containerLogs takes; throws BadRequest or Invalid for malformed options. */
export function kubeletLogQuery(query: URLSearchParams, podName: string): URLSearchParams {
  const sent = new URLSearchParams();
  for (const name of LOG_OPTIONS) {
    const value = query.get(name);
    if (value !== null && value !== '') sent.set(name, value);
  }
  const errors: FieldError[] = [];
  for (const name of ['tailLines', 'limitBytes', 'sinceSeconds']) {
    const value = sent.get(name);
    if (value === null) continue;
    if (!/^-?\d+$/.test(value)) {
      throw statusErrors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
    }
    const count = Number(value);
    if (name === 'tailLines') errors.push(...nonNegative(FieldPath.of(name), count));
    else if (count < 1) errors.push(fieldError.invalid(name, count, 'must be greater than 0'));
  }
  if (sent.has('sinceSeconds') && sent.has('sinceTime')) {
    // Upstream's path of the options as a whole.
    errors.push(fieldError.forbidden('[]', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  }
  if (errors.length > 0) throw statusErrors.invalid({ group: '', kind: 'PodLogOptions' }, podName, errors);
  return sent;
}
