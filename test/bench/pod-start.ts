import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Benchmark, type Figure, percentiles } from '../../packaging/dev/lib/benchmark.ts';
import { BUSYBOX_IMAGE } from '../../packaging/images/busybox.ts';
import { containerdLayout } from '../../pkg/agent/containerd-layout.ts';
import type { Pod } from '../../pkg/api/generated/core-v1.ts';
import { type CriClient, createCriClient } from '../../pkg/cri/client.ts';
import type { MessageInit } from '../../pkg/cri/types.ts';
import { Kedge } from '../e2e/lib/kedge.ts';
import { until } from '../e2e/lib/until.ts';
import { ApiConnection, readAccess } from './lib/api-connection.ts';

const PODS = 30;
const PODS_PATH = '/api/v1/namespaces/default/pods';
/** Ends at once when it is asked to: what is measured is the start. */
const COMMAND = ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'];

/**
 * From the creation of a Pod to the sight of it Running, and the same container started straight over CRI, in turns, so
 * that what else the machine does falls on both alike.
 */
export const benchmark: Benchmark = {
  name: 'Pod start',
  async run() {
    const kedge = await Kedge.start();
    const cri = createCriClient({ socketPath: containerdLayout(kedge.dataDir).socket });
    const api = await ApiPods.open(kedge.kubeconfig);
    try {
      const straight = new StraightPods(cri, kedge.folder);
      const times = { kedge: [] as number[], cri: [] as number[] };
      for (let n = 0; n <= PODS; n++) {
        const sides = [
          async () => times.kedge.push(await api.start(`pod-${n}`)),
          async () => times.cri.push(await straight.start(`straight-${n}`)),
        ];
        for (const measure of n % 2 === 0 ? sides : sides.reverse()) await measure();
        await Promise.all([api.remove(`pod-${n}`), straight.remove()]);
        await until('no sandbox is left', async () => (await cri.runtime.listPodSandbox({})).items.length === 0, {
          intervalMs: 20,
        });
      }
      return figures(times.kedge.slice(1), times.cri.slice(1));
    } finally {
      api.close();
      cri.close();
      await kedge.cleanUp();
    }
  },
};

function figures(kedge: readonly number[], cri: readonly number[]): Figure[] {
  const pods = percentiles(kedge);
  const straight = percentiles(cri);
  const ratio = percentiles(kedge.map((time, n) => time / (cri[n] ?? Number.NaN)));
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  return [
    {
      what: `create → Running seen by a watch, p50 of ${PODS} one after another`,
      measured: ms(pods.p50),
      target: '≤ 600 ms',
    },
    { what: 'the same, p99', measured: ms(pods.p99), target: '≤ 1500 ms' },
    { what: 'the same, longest', measured: ms(Math.max(...kedge)) },
    { what: 'sandbox, create, start straight over CRI, in turns with it, p50', measured: ms(straight.p50) },
    { what: 'the same, p99', measured: ms(straight.p99) },
    { what: 'kedge to CRI, pair by pair, p50', measured: `${ratio.p50.toFixed(2)} ×` },
  ];
}

/** Pods made through the API, watched by a client. */
class ApiPods {
  readonly #connection: ApiConnection;
  readonly #watcher: ApiConnection;
  readonly #awaited = new Map<string, (at: number) => void>();

  private constructor(connection: ApiConnection, watcher: ApiConnection) {
    this.#connection = connection;
    this.#watcher = watcher;
  }

  static async open(kubeconfig: string): Promise<ApiPods> {
    const access = readAccess(kubeconfig);
    const pods = new ApiPods(await ApiConnection.open(access), await ApiConnection.open(access));
    await pods.#watcher.watch(`${PODS_PATH}?watch=1`, (line) => {
      const { type, object } = JSON.parse(line.toString('utf8')) as { type: string; object: Pod };
      const { name } = object.metadata;
      if (type === 'DELETED') pods.#awaited.get(`${name} gone`)?.(performance.now());
      else if (object.status.phase === 'Running') pods.#awaited.get(`${name} runs`)?.(performance.now());
    });
    return pods;
  }

  /** Milliseconds from sending the request until the Pod was seen to run. */
  async start(name: string): Promise<number> {
    const runs = this.#sight(`${name} runs`);
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: BUSYBOX_IMAGE, command: COMMAND }] },
    };
    const begun = performance.now();
    const { code, body } = await this.#connection.request('POST', PODS_PATH, JSON.stringify(pod));
    assert.equal(code, 201, body.toString('utf8'));
    return (await runs) - begun;
  }

  async remove(name: string): Promise<void> {
    const gone = this.#sight(`${name} gone`);
    const { code } = await this.#connection.request('DELETE', `${PODS_PATH}/${name}?gracePeriodSeconds=0`);
    assert.equal(code, 200, `DELETE of ${name}`);
    await gone;
  }

  close(): void {
    this.#connection.close();
    this.#watcher.close();
  }

  #sight(what: string): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#awaited.set(what, resolve);
    return promise;
  }
}

/** What the runtime alone needs for a Pod of one container with the same network and image. */
class StraightPods {
  readonly #cri: CriClient;
  readonly #logs: string;
  #sandbox: string | undefined;

  constructor(cri: CriClient, folder: string) {
    this.#cri = cri;
    this.#logs = join(folder, 'straight');
  }

  /** Milliseconds until the container was started. */
  async start(name: string): Promise<number> {
    const { runtime } = this.#cri;
    const logDirectory = join(this.#logs, name);
    mkdirSync(join(logDirectory, 'c'), { recursive: true });
    const sandboxConfig: MessageInit<'PodSandboxConfig'> = {
      metadata: { name, uid: name, namespace: 'straight', attempt: 0 },
      hostname: name,
      logDirectory,
      linux: { securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } } },
    };
    const config: MessageInit<'ContainerConfig'> = {
      metadata: { name: 'c', attempt: 0 },
      image: { image: BUSYBOX_IMAGE },
      command: COMMAND,
      logPath: 'c/0.log',
      linux: { securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } } },
    };
    const begun = performance.now();
    const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig });
    this.#sandbox = podSandboxId;
    const { containerId } = await runtime.createContainer({ podSandboxId, config, sandboxConfig });
    await runtime.startContainer({ containerId });
    return performance.now() - begun;
  }

  async remove(): Promise<void> {
    if (this.#sandbox === undefined) return;
    const sandbox = { podSandboxId: this.#sandbox };
    await this.#cri.runtime.stopPodSandbox(sandbox);
    await this.#cri.runtime.removePodSandbox(sandbox);
    rmSync(this.#logs, { recursive: true, force: true });
  }
}
