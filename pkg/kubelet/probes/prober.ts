/** One execution of a probe: upstream kubelet's prober and pkg/probe. */
import { connect } from 'node:net';
import type { Container, Probe } from '../../api/generated/core-v1.ts';
import { formatDuration } from '../../apimachinery/duration.ts';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/log.ts';
import type { RuntimeService } from '../../cri/services.ts';
import { hasGrpcCode } from '../../grpc/error.ts';
import { httpGet, urlOf } from '../http-get.ts';
import { resolvePort } from '../pod-info.ts';
import { dialFailure, dialTimeout, getFailure, getTimeout } from './failure-text.ts';
import { checkGrpcHealth } from './grpc-health.ts';

export interface ProbeResult {
  readonly verdict: 'success' | 'failure';
  /** What the probe saw, for the Unhealthy event. */
  readonly output: string;
}

export interface ProbeTarget {
  readonly container: Container;
  readonly containerId: string;
  /** Where the probe goes unless it names a host. */
  readonly podIP: string;
}

export interface ProbeTools {
  readonly runtime: Pick<RuntimeService, 'execSync'>;
  readonly clock: Clock;
}

const USER_AGENT = 'kube-probe/1.36';
const MOST_OUTPUT = 10 * 1024;

const failure = (output: string): ProbeResult => ({ verdict: 'failure', output });
const success = (output: string): ProbeResult => ({ verdict: 'success', output });

function portOf(port: number | string, container: Container): number {
  const number = resolvePort(port, container);
  if (number === undefined) throw new Error(`couldn't find port: ${port}`);
  return number;
}

async function execProbe(tools: ProbeTools, probe: Probe, target: ProbeTarget, seconds: number): Promise<ProbeResult> {
  const cmd = probe.exec?.command ?? [];
  try {
    const { stdout, stderr, exitCode } = await tools.runtime.execSync({
      containerId: target.containerId,
      cmd,
      timeout: seconds,
    });
    const output = Buffer.concat([stdout, stderr]).toString('utf8', 0, MOST_OUTPUT);
    return exitCode === 0 ? success(output) : failure(output);
  } catch (error) {
    if (hasGrpcCode(error, 'DEADLINE_EXCEEDED') || /timed? ?out/i.test(errorText(error))) {
      return failure(`command timed out: "${cmd.join(' ')}" timed out after ${formatDuration(seconds * 1000)}`);
    }
    throw error;
  }
}

async function httpProbe(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const { port, host, path, scheme, httpHeaders } = probe.httpGet ?? { port: 0 };
  const place = { host: host || target.podIP, port: portOf(port, target.container), path, scheme };
  try {
    const answer = await httpGet({ ...place, headers: httpHeaders, signal, userAgent: USER_AGENT });
    if (answer.status >= 200 && answer.status < 400) return success(answer.body);
    return failure(`HTTP probe failed with statuscode: ${answer.status}`);
  } catch (error) {
    const url = urlOf(place);
    return failure(signal.aborted ? getTimeout(url) : getFailure(url, error));
  }
}

function tcpProbe(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const { port, host } = probe.tcpSocket ?? { port: 0 };
  const address = { host: host || target.podIP, port: portOf(port, target.container) };
  return new Promise((resolve) => {
    const socket = connect(address);
    const finish = (result: ProbeResult): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(result);
    };
    const abort = (): void => finish(failure(dialTimeout(address.host, address.port)));
    signal.addEventListener('abort', abort, { once: true });
    socket.once('connect', () => finish(success('')));
    socket.once('error', (error) => finish(failure(dialFailure(address.host, address.port, error))));
  });
}

/**
 * Runs `probe` once, within its timeout. Never rejects: what goes wrong is a failure, except an error of the runtime
 * itself, which says nothing about the container and gives undefined.
 */
export async function runProbe(tools: ProbeTools, probe: Probe, target: ProbeTarget): Promise<ProbeResult | undefined> {
  const seconds = Math.max(1, probe.timeoutSeconds ?? 1);
  const limit = new AbortController();
  const cancel = tools.clock.setTimeout(() => limit.abort(), seconds * 1000);
  try {
    if (probe.exec !== undefined) {
      try {
        return await execProbe(tools, probe, target, seconds);
      } catch {
        return undefined;
      }
    }
    if (probe.httpGet !== undefined) return await httpProbe(probe, target, limit.signal);
    if (probe.tcpSocket !== undefined) return await tcpProbe(probe, target, limit.signal);
    if (probe.grpc !== undefined) {
      return await checkGrpcHealth({ host: target.podIP, ...probe.grpc, signal: limit.signal });
    }
    return success('');
  } catch (error) {
    return failure(
      limit.signal.aborted ? `context deadline exceeded after ${formatDuration(seconds * 1000)}` : errorText(error),
    );
  } finally {
    cancel();
  }
}
