import type { Container, LifecycleHandler } from '../api/generated/core-v1.ts';
import { type Clock, sleep } from '../base/clock.ts';
import type { RuntimeService } from '../cri/services.ts';
import { httpGet } from './http-get.ts';
import { resolvePort } from './pod-info.ts';

export interface HookTarget {
  readonly container: Container;
  readonly containerId: string;
  /** Where httpGet and tcpSocket go unless they name a host. */
  readonly podIP: string;
}

export interface HookTools {
  readonly runtime: RuntimeService;
  readonly clock: Clock;
}

/** Runs a postStart or preStop handler to its end or until `signal` aborts. Rejects when it fails. */
export async function runHook(
  tools: HookTools,
  handler: LifecycleHandler,
  target: HookTarget,
  signal: AbortSignal,
): Promise<void> {
  if (handler.exec !== undefined) {
    const cmd = handler.exec.command ?? [];
    const { exitCode, stderr, stdout } = await tools.runtime.execSync(
      { containerId: target.containerId, cmd },
      { signal },
    );
    if (exitCode !== 0) {
      const output = Buffer.concat([stdout, stderr]).toString('utf8').trim().slice(0, 1024);
      throw new Error(`command '${cmd.join(' ')}' exited with ${exitCode}: ${output}`);
    }
  } else if (handler.httpGet !== undefined) {
    const { port, host, path, scheme, httpHeaders } = handler.httpGet;
    const number = resolvePort(port, target.container);
    if (number === undefined) throw new Error(`no port named ${port}`);
    const answer = await httpGet({
      host: host || target.podIP,
      port: number,
      path,
      scheme,
      headers: httpHeaders,
      signal,
    });
    if (answer.status < 200 || answer.status >= 400) throw new Error(`HTTP status ${answer.status}`);
  } else if (handler.sleep !== undefined) {
    await sleep(tools.clock, handler.sleep.seconds * 1000, signal);
  }
}
