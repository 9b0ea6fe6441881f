/** Probes and lifecycle hooks: what a kubelet does to a container. */
import type { HTTPGetAction, Lifecycle, LifecycleHandler, PodSpec, Probe } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isHttpHeaderName } from '../../../apimachinery/names.ts';
import { each, type Findings, nonNegative, portNumber, portNumberOrName, required } from '../../validation/rules.ts';

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
  const schemes = ['HTTP', 'HTTPS'];
  if (!schemes.includes(action.scheme ?? '')) {
    yield fieldError.notSupported(path.child('scheme'), action.scheme ?? '', schemes);
  }
  for (const { name } of action.httpHeaders ?? []) yield* each(path.child('httpHeaders'), name, isHttpHeaderName);
}

/** Upstream's validateLifecycle; `pod` is the spec of which the container is. */
export function* validateLifecycle(lifecycle: Lifecycle | undefined, pod: PodSpec, path: FieldPath): Findings {
  const { postStart, preStop, stopSignal } = lifecycle ?? {};
  const gracePeriod = pod.terminationGracePeriodSeconds;
  if (postStart !== undefined) yield* validateHandler(postStart, gracePeriod, path.child('postStart'));
  if (preStop !== undefined) yield* validateHandler(preStop, gracePeriod, path.child('preStop'));
  if (stopSignal === undefined) return;
  const at = path.child('stopSignal');
  if (pod.os === undefined) {
    yield fieldError.forbidden(at, 'may not be set for containers with empty `spec.os.name`');
  } else if (pod.os.name === 'linux' || pod.os.name === 'windows') {
    const known = pod.os.name === 'linux' ? LINUX_SIGNALS : WINDOWS_SIGNALS;
    if (!known.includes(stopSignal)) yield fieldError.notSupported(at, stopSignal, known);
  }
}

const REAL_TIME = Array.from({ length: 15 }, (_, index) => index + 1);
const WINDOWS_SIGNALS = ['SIGKILL', 'SIGTERM'];
const LINUX_SIGNALS = [
  ...'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT RTMAX RTMIN SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ'
    .split(' ')
    .map((name) => `SIG${name}`),
  ...REAL_TIME.slice(0, -1).map((number) => `SIGRTMAX-${number}`),
  ...REAL_TIME.map((number) => `SIGRTMIN+${number}`),
].sort();

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
