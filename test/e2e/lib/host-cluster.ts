import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { CommandResult } from '../../../packaging/dev/lib/command.ts';
import { ensureKubectl } from '../../../packaging/dev/lib/kubectl.ts';
import { errorText } from '../../../pkg/base/log.ts';
import type { Host } from './hosts.ts';
import type { KubectlOptions } from './kedge.ts';
import type { KubectlUser } from './namespace.ts';

const KUBECONFIG = '/etc/kedge/kedge.yaml';
const READY_TIMEOUT = 90_000;

/** kubectl as the administrator has it who sits at one of the servers of a Lan. */
export class HostCluster implements KubectlUser {
  readonly host: Host;
  readonly #program: string;

  private constructor(host: Host, program: string) {
    this.host = host;
    this.#program = program;
  }

  static async at(host: Host): Promise<HostCluster> {
    return new HostCluster(host, (await ensureKubectl()).program);
  }

  tryKubectl(args: readonly string[], options: KubectlOptions = {}): Promise<CommandResult> {
    const env = { ...options.env, KUBECONFIG };
    return this.host.run([this.#program, ...args], {
      env,
      ...(options.input === undefined ? {} : { input: options.input }),
    });
  }

  async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    const result = await this.tryKubectl(args, options);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.output}`);
    return result.stdout.trimEnd();
  }

  spawnKubectl(args: readonly string[], options: KubectlOptions = {}): ChildProcess {
    return this.host.spawn([this.#program, ...args], { ...options.env, KUBECONFIG });
  }

  /** Names of the nodes that are Ready, in alphabetical order. */
  async readyNodes(): Promise<string[]> {
    const text = await this.kubectl(['get', 'nodes', '--request-timeout=5s', '-o', 'json']);
    const { items } = JSON.parse(text) as { items: readonly NodeFacts[] };
    const isReady = ({ status }: NodeFacts): boolean =>
      status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
    return items
      .filter(isReady)
      .map(({ metadata }) => metadata.name)
      .sort();
  }

  /** Waits until exactly these nodes are Ready; fails as soon as a kedge that nobody has ended is gone. */
  async waitForNodes(names: readonly string[], timeoutMs = READY_TIMEOUT): Promise<void> {
    const limit = Date.now() + timeoutMs;
    const wanted = [...names].sort();
    for (;;) {
      for (const host of this.host.lan.hosts) if (host.hasKedge) host.kedge.checkAlive();
      const last = await this.readyNodes().catch((error: unknown) => [errorText(error)]);
      if (isDeepStrictEqual(last, wanted)) return;
      if (Date.now() > limit) assert.deepEqual(last, wanted, `nodes that are Ready after ${timeoutMs / 1000} s`);
      await delay(200);
    }
  }
}

interface NodeFacts {
  readonly metadata: { readonly name: string };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}
