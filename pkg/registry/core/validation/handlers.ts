/** Probes and lifecycle hooks: what a kubelet does to a container. */
import type { HTTPGetAction, Lifecycle, LifecycleHandler, Probe } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isHttpHeaderName } from '../../../apimachinery/names.ts';
import {
  each,
  type Findings,
  nonNegative,
  oneOf,
  portNumber,
  portNumberOrName,
  required,
} from '../../validation/rules.ts';

type Handler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'> & Pick<LifecycleHandler, 'sleep'>;

/** Upstream's validateHandler; `gracePeriod` in seconds. */
function* validateHandler(handler: Handler, gracePeriod: number | undefined, path: FieldPath): Findings {
  const given = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter((key) => handler[key] != null);
  const [first, ...others] = given;
  if (first === undefined) yield fieldError.required(path, 'must specify a handler type');
  else yield* validateAction(handler, first, gracePeriod, path.child(first));
  for (const key of others) yield fieldError.forbidden(path.child(key), 'may not specify more than 1 handler type');
}

function* validateAction(
  handler: Handler,
  type: keyof Handler,
  gracePeriod: number | undefined,
  path: FieldPath,
): Findings {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (type === 'exec' && (exec?.command ?? []).length === 0) yield fieldError.required(path.child('command'));
  if (type === 'httpGet' && httpGet !== undefined) yield* validateHttpGet(httpGet, path);
  if (type === 'tcpSocket') yield* portNumberOrName(path.child('port'), tcpSocket?.port ?? 0);
  if (type === 'grpc') yield* portNumber(path.child('port'), grpc?.port ?? 0);
  if (type === 'sleep' && sleep !== undefined && gracePeriod !== undefined) {
    if (sleep.seconds < 0 || sleep.seconds > gracePeriod) {
      const text = `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`;
      yield fieldError.invalid(path, sleep.seconds, text);
    }
  }
}

function* validateHttpGet(action: HTTPGetAction, path: FieldPath): Findings {
  yield* required(path.child('path'), action.path);
  yield* portNumberOrName(path.child('port'), action.port);
  yield* oneOf(path.child('scheme'), action.scheme, ['HTTP', 'HTTPS']);
  for (const { name } of action.httpHeaders ?? []) yield* each(path.child('httpHeaders'), name, isHttpHeaderName);
}

/** Upstream's validateLifecycle. */
export function* validateLifecycle(
  lifecycle: Lifecycle | undefined,
  gracePeriod: number | undefined,
  path: FieldPath,
): Findings {
  if (lifecycle?.postStart !== undefined) {
    yield* validateHandler(lifecycle.postStart, gracePeriod, path.child('postStart'));
  }
  if (lifecycle?.preStop !== undefined) {
    yield* validateHandler(lifecycle.preStop, gracePeriod, path.child('preStop'));
  }
}

/** Upstream's validateLivenessProbe and its two siblings. */
export function* validateProbe(
  probe: Probe | undefined,
  kind: 'livenessProbe' | 'readinessProbe' | 'startupProbe',
  path: FieldPath,
): Findings {
  if (probe === undefined) return;
  yield* validateHandler(probe, undefined, path);
  for (const field of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const) {
    yield* nonNegative(path.child(field), probe[field]);
  }
  const grace = probe.terminationGracePeriodSeconds;
  const at = path.child('terminationGracePeriodSeconds');
  if (grace !== undefined && grace <= 0) yield fieldError.invalid(at, grace, 'must be greater than 0');
  if (kind === 'readinessProbe') {
    if (grace !== undefined) yield fieldError.invalid(at, grace, 'must not be set for readinessProbes');
  } else if ((probe.successThreshold ?? 1) !== 1) {
    yield fieldError.invalid(path.child('successThreshold'), probe.successThreshold, 'must be 1');
  }
}
