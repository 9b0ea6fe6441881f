import { mkdir, readdir, rename } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { type Component, OperatorError } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { EtcdClient } from '../datastore/etcd/client.ts';
import { type DetachedProcess, fileSize, isRunning } from '../host/detached-process.ts';
import { LEAF_LIFETIME_MS } from '../pki/certificate-plan.ts';
import { type EtcdCertificates, ensureEtcdCertificates } from '../pki/etcd-certificates.ts';
import type { KeyPairPem } from '../pki/issue.ts';
import { keepRenewed } from '../pki/renewal.ts';
import { findEtcd } from './binary.ts';
import { type EtcdFailure, etcdFailure } from './failure.ts';
import { clientURL, ETCD_PORTS, type EtcdConfig, etcdLayout, peerURL } from './layout.ts';
import { addLearner, type JoinOptions, type Member, memberName, promote, readPeers, writePeers } from './membership.ts';
import { findEtcdProcess, readLog, spawnEtcd, stopEtcd } from './process.ts';

/** How this server comes to its place: the first one, one more of a cluster, or what its data says. */
export type MemberStart =
  | { readonly kind: 'new' }
  | { readonly kind: 'join'; readonly clientURLs: readonly string[] }
  | { readonly kind: 'existing' }
  /** With the data there is, but as the only member. */
  | { readonly kind: 'reset' };

export interface EtcdMemberOptions {
  readonly dataDir: string;
  /** `server/db/etcd` */
  readonly root: string;
  /** `server/tls/etcd` */
  readonly tls: string;
  readonly nodeName: string;
  readonly address: string;
  readonly start: MemberStart;
  /** Whether this server can join again when it finds that it was removed from the cluster. */
  readonly canRejoin: boolean;
  /** How long certificates live; 365 days unless given. */
  readonly certificateLifetimeMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onFatal: (error: Error) => void;
}

const POLL_MS = 500;
const RESTART_MS = 1_000;
const TELL_MS = 10_000;

/**
 * What there is of a member below `root`: none (or one that never got as far as having data), one with its data, or one
 * that has lost it.
 */
export async function findEtcdData(root: string): Promise<'none' | 'present' | 'lost'> {
  const { wal, started } = etcdLayout(root);
  if ((await namesIn(wal)).some((name) => name.endsWith('.wal'))) return 'present';
  return (await fileSize(started)) > 0 ? 'lost' : 'none';
}

/** This server's etcd: a child process that is started, entered among the members, and kept running. */
export class EtcdMember implements Component {
  readonly name = 'etcd';
  readonly #options: EtcdMemberOptions;
  readonly #stopping = new AbortController();
  #certificates: EtcdCertificates | undefined;
  #context: SecureContext | undefined;
  #memberName = '';
  #process: DetachedProcess | undefined;
  #watching: Promise<void> = Promise.resolve();
  #endRenewal: () => Promise<void> = async () => {};

  constructor(options: EtcdMemberOptions) {
    this.#options = options;
  }

  /** A new client of this server's own etcd. */
  client(): EtcdClient {
    return this.#clientOf(clientURL('127.0.0.1', ETCD_PORTS));
  }

  /** The members' list as etcd has it. */
  async members(): Promise<readonly Member[]> {
    const client = this.client();
    try {
      return (await client.call('memberList', { linearizable: true })).members;
    } finally {
      client.close();
    }
  }

  /** The name of this member. Empty before `start`. */
  get memberName(): string {
    return this.#memberName;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { dataDir, root, nodeName, address, start, log } = this.#options;
    const program = await findEtcd(dataDir);
    const layout = etcdLayout(root);
    await mkdir(root, { recursive: true, mode: 0o700 });
    const { leaves } = await this.#renewCertificates();
    this.#keepRenewed(leaves);
    this.#memberName = await memberName(layout, nodeName);
    const own = `${this.#memberName}=${peerURL(address, ETCD_PORTS)}`;
    const certificates = this.#certificates;
    if (certificates === undefined) throw new Error('etcd has no certificates');
    let config: EtcdConfig = {
      layout,
      name: this.#memberName,
      address,
      ports: ETCD_PORTS,
      initialCluster: [own],
      state: start.kind === 'new' ? 'new' : 'existing',
      forceNewCluster: start.kind === 'reset',
      certificates: certificates.files,
    };
    if (start.kind === 'join') {
      await writePeers(layout, start.clientURLs);
      const initialCluster = await this.#withPeers((options) => addLearner(options), signal);
      config = { ...config, initialCluster };
      log.info('entered among the members of etcd', { name: this.#memberName });
    }
    const found = await findEtcdProcess(layout);
    const offset = await fileSize(layout.log);
    if (found !== undefined && start.kind === 'existing') this.#process = found;
    else {
      if (found !== undefined) await stopEtcd(found, this.#options.clock);
      this.#process = await spawnEtcd(program, config, () => {});
    }
    const after: EtcdConfig = { ...config, state: 'existing', forceNewCluster: false };
    await this.#answers(signal, offset);
    this.#watching = this.#watch(program, after);
  }

  async ready(): Promise<void> {}

  /** Ends etcd with the server: it hands its leadership over first. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#endRenewal();
    await this.#watching;
    if (this.#process !== undefined) await stopEtcd(this.#process, this.#options.clock);
  }

  /** Resolves when etcd answers as a voting member with a leader. A cluster that starts as a whole takes its time. */
  async #answers(signal: AbortSignal, offset: number): Promise<void> {
    const { clock, log } = this.#options;
    const client = this.client();
    const layout = etcdLayout(this.#options.root);
    let told = clock.now();
    let last = '';
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#process !== undefined && !(await isRunning(this.#process))) {
          throw await this.#ended(etcdFailure(await readLog(layout, offset)));
        }
        try {
          const status = await client.call('status', {}, { timeoutMs: 2_000 });
          const id = status.header?.memberId ?? 0n;
          if (status.isLearner) await this.#withPeers((options) => promote(options, id), signal);
          await client.call('range', { key: '\0', countOnly: true }, { timeoutMs: 2_000 });
          await writeFileAtomic(layout.started, `${this.#memberName}\n`, { mode: 0o600, durable: true });
          return;
        } catch (error) {
          last = errorText(error);
        }
        if (clock.now() - told > TELL_MS) {
          told = clock.now();
          const cutOff = (await namesIn(layout.wal)).filter((name) => name.endsWith('.broken'));
          const hint =
            cutOff.length === 0 ? {} : { hint: `the end of its log was damaged and cut off (${cutOff.at(-1)})` };
          log.warn('waiting for etcd: it takes more than half of the servers', { error: last, ...hint });
        }
        await sleep(clock, POLL_MS / 5, signal);
      }
    } finally {
      client.close();
    }
  }

  /** Starts etcd again when it ends, until the server stops. */
  async #watch(program: string, config: EtcdConfig): Promise<void> {
    const { clock, log, onFatal } = this.#options;
    const { layout } = config;
    const { signal } = this.#stopping;
    let offset = await fileSize(layout.log);
    while (!signal.aborted) {
      await sleep(clock, POLL_MS, signal);
      if (signal.aborted || this.#process === undefined || (await isRunning(this.#process))) continue;
      const failure = etcdFailure(await readLog(layout, offset));
      if (failure.kind === 'removed' || failure.kind === 'damaged') {
        onFatal(await this.#ended(failure));
        return;
      }
      log.error('etcd has ended and is started again', { why: failure.text });
      try {
        offset = await fileSize(layout.log);
        this.#process = await spawnEtcd(program, config, () => {});
      } catch (error) {
        log.error('etcd cannot be started', { error: errorText(error) });
      }
      await sleep(clock, RESTART_MS, signal);
    }
  }

  /** The error for an etcd that does not run. */
  async #ended({ kind, text }: EtcdFailure): Promise<Error> {
    const { root, canRejoin, clock } = this.#options;
    const layout = etcdLayout(root);
    switch (kind) {
      case 'removed':
        break;
      case 'damaged':
        return new OperatorError(
          `etcd's data in ${layout.data} is damaged (${text}): move ${root} away and start with --server to get it from another server, or put a snapshot in its place with \`kedge snapshot restore\``,
        );
      case 'port': {
        const { client, peer } = ETCD_PORTS;
        const finder = `ss -ltnp 'sport = :${client} or sport = :${peer}'`;
        return new OperatorError(
          `etcd does not get its ports ${client} and ${peer} (${text}): stop the program that listens on them (\`${finder}\` names it)`,
        );
      }
      case 'disk-full':
        return new OperatorError(`etcd finds no space for its data in ${layout.data}: free some on that disk`);
      case 'other':
        return new OperatorError(`etcd does not start (${text || 'it says nothing'}): its log is ${layout.log}`);
    }
    if (!canRejoin) {
      return new OperatorError(
        `this server was removed from the cluster: delete ${root} and start it with --server to join again`,
      );
    }
    const aside = `${root}.removed-${Math.floor(clock.now() / 1000)}`;
    await rename(root, aside);
    return new OperatorError(
      `this server was removed from the cluster: its data was moved to ${aside}, and it joins again at its next start`,
    );
  }

  #keepRenewed(first: readonly KeyPairPem[]): void {
    const { clock, log } = this.#options;
    let leaves = first;
    this.#endRenewal = keepRenewed({
      clock,
      lifetimeMs: this.#lifetimeMs,
      leaves: () => leaves,
      renew: async () => {
        ({ leaves } = await this.#renewCertificates());
      },
      onError: (error) => log.error("etcd's certificates could not be renewed", { error: errorText(error) }),
    });
  }

  get #lifetimeMs(): number {
    return this.#options.certificateLifetimeMs ?? LEAF_LIFETIME_MS;
  }

  async #renewCertificates(): Promise<EtcdCertificates> {
    const { tls, nodeName, address, clock, log } = this.#options;
    const certificates = await ensureEtcdCertificates({
      directory: tls,
      nodeName,
      addresses: [address],
      lifetimeMs: this.#lifetimeMs,
      clock,
      log,
    });
    this.#certificates = certificates;
    const { client, serverCA } = certificates;
    this.#context = createSecureContext({ ca: serverCA, cert: client.certificate, key: client.key });
    return certificates;
  }

  #clientOf(endpoint: string): EtcdClient {
    const secureContext = (): SecureContext => {
      if (this.#context === undefined) throw new Error('etcd was asked for before its certificates were made');
      return this.#context;
    };
    return new EtcdClient({ endpoint, secureContext, clock: this.#options.clock });
  }

  /** Calls `act` with clients of the other members. */
  async #withPeers<T>(act: (options: JoinOptions) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { root, address, clock, log } = this.#options;
    const own = clientURL(address, ETCD_PORTS);
    const urls = (await readPeers(etcdLayout(root))).filter((url) => url !== own);
    const clients = urls.map((url) => this.#clientOf(url));
    try {
      return await act({
        clients,
        name: this.#memberName,
        peerURL: peerURL(address, ETCD_PORTS),
        clock,
        log,
        signal: AbortSignal.any([signal, this.#stopping.signal]),
      });
    } finally {
      for (const client of clients) client.close();
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
