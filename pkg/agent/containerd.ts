import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { dirname } from 'node:path';
import { type Clock, holdProcess, sleep, systemClock } from '../base/clock.ts';
import { type Component, OperatorError } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { type CriClient, createCriClient } from '../cri/client.ts';
import { hasGrpcCode } from '../grpc/error.ts';
import { type DetachedProcess, fileSize, isRunning } from '../host/detached-process.ts';
import { renderContainerdConfig, type Snapshotter } from './containerd-config.ts';
import { type ContainerdLayout, containerdLayout, hashOf } from './containerd-layout.ts';
import { findContainerd, lastLogLines, rotateLog, spawnContainerd, stopContainerd } from './containerd-process.ts';
import { removeLostContainers } from './lost-containers.ts';
import { detectRuntimeHost, detectSnapshotter, type RuntimeHost } from './runtime-host.ts';

export interface ContainerdOptions {
  readonly dataDir: string;
  /** Where its socket and state are; RUN_DIR unless given. */
  readonly runDir?: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Searched for containerd, ctr and runc before the usual places. */
  readonly programDirs?: readonly string[];
  /** Where another's CNI configurations and plugins are; kedge's own configuration and the host's plugins unless given. */
  readonly cni?: { readonly confDir: string; readonly binDir: string } | undefined;
}

/** What is known of containerd once it has started. */
export interface ContainerdRuntime {
  readonly host: RuntimeHost;
  readonly snapshotter: Snapshotter;
}

const READY_TIMEOUT = 30_000;
const ADOPT_TIMEOUT = 2000;
const READY_INTERVAL = 10;
const RESTART_PAUSE = { first: 1000, longest: 30_000 } as const;
const LOG_CHECK_INTERVAL = 3_600_000;

/**
 * kedge's own containerd: own configuration, root, state and socket. It runs in a session of its own and is left
 * running when kedge stops or dies, because it carries the containers' output; the next kedge adopts it when its
 * configuration is still the wanted one, and otherwise replaces it, which containers survive too. While kedge runs,
 * a containerd that ends is started again.
 */
export class Containerd implements Component {
  readonly name = 'containerd';
  readonly layout: ContainerdLayout;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #programDirs: readonly string[];
  readonly #cniBinDir: string | undefined;
  readonly #stopping = new AbortController();
  #client: CriClient | undefined;
  #runtime: ContainerdRuntime | undefined;
  #process: DetachedProcess | undefined;
  #watching: Promise<void> = Promise.resolve();
  #tidying: Promise<void> = Promise.resolve();

  constructor(options: ContainerdOptions) {
    const layout = containerdLayout(options.dataDir, options.runDir);
    this.layout = options.cni === undefined ? layout : { ...layout, cniConf: options.cni.confDir };
    this.#cniBinDir = options.cni?.binDir;
    this.#log = options.log.child('containerd');
    this.#clock = options.clock ?? systemClock;
    this.#programDirs = options.programDirs ?? [];
  }

  /** The connection to it, from `start` on; it is closed by `stop`. */
  get client(): CriClient {
    if (this.#client === undefined) throw new Error('containerd has not been started');
    return this.#client;
  }

  get runtime(): ContainerdRuntime {
    if (this.#runtime === undefined) throw new Error('containerd has not been started');
    return this.#runtime;
  }

  /** The pid of the containerd in use. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Resolves when containerd answers. Throws OperatorError when the machine lacks something it needs. */
  start(signal: AbortSignal): Promise<void> {
    return holdProcess(() => this.#start(signal));
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { layout } = this;
    const host = await detectRuntimeHost(this.#programDirs);
    for (const dir of [layout.root, layout.state]) await mkdir(dir, { recursive: true, mode: 0o711 });
    for (const dir of [dirname(layout.config), layout.cniConf, layout.registries])
      await mkdir(dir, { recursive: true });
    const { snapshotter, reason } = await detectSnapshotter(layout.root);
    if (snapshotter === 'native') this.#log.warn('no overlayfs here: images take more disk and time', { reason });
    this.#runtime = { host, snapshotter };
    const config = renderContainerdConfig(layout, {
      ...host,
      cniBinDir: this.#cniBinDir ?? host.cniBinDir,
      snapshotter,
      cgroupDriver: host.cgroups.driver,
    });
    const configHash = hashOf(config, host.containerd, host.versionText, host.searchPath);
    this.#client = createCriClient({ socketPath: layout.socket, clock: this.#clock });
    const ending = AbortSignal.any([signal, this.#stopping.signal]);
    if (!(await this.#adopt(configHash, ending))) {
      await writeFile(layout.config, config, { mode: 0o600 });
      await this.#launch(host, configHash, ending);
    }
    this.#watching = this.#watch(host, configHash, ending);
    this.#tidying = this.#removeLost(ending);
  }

  async #removeLost(signal: AbortSignal): Promise<void> {
    const { layout, client } = this;
    try {
      await removeLostContainers({ layout, runtime: client.runtime, clock: this.#clock, log: this.#log }, signal);
    } catch (error) {
      if (!signal.aborted) this.#log.warn('lost containers not looked for', { error: errorText(error) });
    }
  }

  /** Resolved by `start` already: containerd answers. */
  ready(): Promise<void> {
    return Promise.resolve();
  }

  /** Lets go of containerd, which goes on running with its containers. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#client?.close();
    await Promise.all([this.#watching, this.#tidying]);
  }

  /** Takes over a containerd that is running already; one that is outdated or does not answer is stopped instead. */
  async #adopt(configHash: string, signal: AbortSignal): Promise<boolean> {
    const found = await findContainerd(this.layout);
    if (found === undefined) return false;
    const pid = found.pid;
    if (found.mark === configHash) {
      try {
        await this.#waitUntilReady(ADOPT_TIMEOUT, signal, async () =>
          (await isRunning(found)) ? undefined : 'a signal',
        );
        if (this.#process?.pid !== pid) this.#log.info('running already', { pid });
        this.#process = found;
        return true;
      } catch (error) {
        if (signal.aborted) throw error;
        if (!(await isRunning(found))) return false;
        this.#log.warn('does not answer, starting it anew', { pid, error: errorText(error) });
      }
    } else this.#log.info('has another configuration or version, starting it anew', { pid });
    await stopContainerd(found, this.#clock);
    return false;
  }

  async #launch(host: RuntimeHost, configHash: string, signal: AbortSignal): Promise<void> {
    const logStart = await fileSize(this.layout.log);
    let exited: string | undefined;
    this.#process = await spawnContainerd(this.layout, host, configHash, (reason) => {
      exited = reason;
    });
    try {
      await this.#waitUntilReady(READY_TIMEOUT, signal, () => Promise.resolve(exited));
    } catch (error) {
      if (signal.aborted) throw error;
      if (exited === undefined) await stopContainerd(this.#process, this.#clock);
      const said = await lastLogLines(this.layout.log, logStart);
      throw new OperatorError(
        `${host.versionText} does not start (${errorText(error)}): ${said}; see ${this.layout.log}`,
      );
    }
    this.#log.info('started', { pid: this.#process.pid, version: host.versionText });
  }

  async #waitUntilReady(
    timeoutMs: number,
    signal: AbortSignal,
    exited: () => Promise<string | undefined>,
  ): Promise<void> {
    const limit = this.#clock.now() + timeoutMs;
    for (;;) {
      try {
        const { status } = await this.client.runtime.status({}, { timeoutMs: ADOPT_TIMEOUT, signal });
        if (status?.conditions.some((condition) => condition.type === 'RuntimeReady' && condition.status)) return;
        if (this.#clock.now() >= limit) throw new Error('it says that it is not ready');
      } catch (error) {
        // The server is there but its CRI plugin is not: waiting does not help.
        if (hasGrpcCode(error, 'UNIMPLEMENTED')) throw new Error('its CRI plugin was not loaded', { cause: error });
        if (this.#clock.now() >= limit || signal.aborted) throw error;
      }
      const reason = await exited();
      if (reason !== undefined) throw new Error(`it ended with ${reason}`);
      await sleep(this.#clock, READY_INTERVAL, signal);
    }
  }

  /** Starts containerd again whenever its socket closes, until `signal` aborts. */
  async #watch(host: RuntimeHost, configHash: string, signal: AbortSignal): Promise<void> {
    let pause: number = RESTART_PAUSE.first;
    while (!signal.aborted) {
      const since = this.#clock.now();
      await this.#connectionLost(signal);
      if (signal.aborted) return;
      if (this.#clock.now() - since > RESTART_PAUSE.longest) pause = RESTART_PAUSE.first;
      try {
        if (!(await this.#adopt(configHash, signal))) {
          this.#log.error('has ended, starting it again', { said: await lastLogLines(this.layout.log, 0) });
          await this.#launch(host, configHash, signal);
        }
      } catch (error) {
        if (!signal.aborted) this.#log.error('cannot be started', { error: errorText(error) });
      }
      await sleep(this.#clock, pause, signal);
      pause = Math.min(pause * 2, RESTART_PAUSE.longest);
    }
  }

  /** Resolves when an idle connection to containerd breaks: an adopted process tells nobody of its end. */
  #connectionLost(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const session = connect('http://localhost', { createConnection: () => connectSocket(this.layout.socket) });
      const checkLog = (): void => {
        void rotateLog(this.layout.log).catch((error: unknown) => {
          this.#log.warn('log not rotated', { error: errorText(error) });
        });
        cancel = this.#clock.setTimeout(checkLog, LOG_CHECK_INTERVAL);
      };
      let cancel = this.#clock.setTimeout(checkLog, LOG_CHECK_INTERVAL);
      const end = (): void => session.destroy();
      signal.addEventListener('abort', end, { once: true });
      // The close event that follows is what counts.
      session.on('error', () => {});
      session.once('close', () => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      });
      if (signal.aborted) end();
    });
  }
}
