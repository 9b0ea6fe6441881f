import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { type Clock, sleep } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Paths } from '../base/paths.ts';
import type { Client } from '../client/client.ts';
import {
  type ExistingLeaf,
  type IssueReason,
  LEAF_LIFETIME_MS,
  type LeafSpec,
  planCertificates,
} from '../pki/certificate-plan.ts';
import type { KeyPairPem } from '../pki/issue.ts';
import { readLeaf } from '../pki/read-certificate.ts';
import { lookEvery } from '../pki/renewal.ts';
import { canonicalIP } from '../pki/wanted-certificates.ts';
import { SIGNERS } from '../registry/certificates/signers.ts';
import { requestCertificate, type WantedCertificate } from './certificate-request.ts';

export interface NodeCertificatesOptions {
  readonly paths: Paths;
  readonly nodeName: string;
  readonly addresses: readonly string[];
  /** PEM of the authorities of the cluster. */
  readonly serverCA: string;
  readonly clientCA: string;
  /** How long certificates live here, in ms; 365 days unless given. */
  readonly lifetimeMs?: number;
  /**
   * A client of a machine that joins anew, for a node whose certificate has ended; to be closed. Rejects when it
   * cannot.
   */
  readonly joinAgain: (signal: AbortSignal) => Promise<Client & { close(): void }>;
  readonly clock: Clock;
  readonly log: Logger;
}

type Name = 'client-kubelet' | 'serving-kubelet';

interface Held {
  readonly pair: KeyPairPem;
  readonly leaf: ExistingLeaf;
}

const RETRY_MS = 30_000;
const FIRST_RETRY_MS = 1000;
/** A certificate that is due for one of these still counts. */
const USABLE: ReadonlySet<IssueReason> = new Set(['expires soon', 'names or addresses changed']);

/**
 * The certificates of a node on another machine than its server: what kubelets show to the API server, and what they
 * serve with. The keys are made here and stay here; both are renewed through the certificates API long before they end.
 */
export class NodeCertificates implements Component {
  readonly name = 'node-certificates';
  readonly #options: NodeCertificatesOptions;
  readonly #wanted: Readonly<Record<Name, LeafSpec>>;
  readonly #held = new Map<Name, Held>();
  readonly #authorities: ReadonlyMap<string, X509Certificate>;
  readonly #listeners = new Set<() => void>();
  readonly #stopping = new AbortController();
  #client: Client | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: NodeCertificatesOptions) {
    this.#options = options;
    const { nodeName, addresses, serverCA, clientCA } = options;
    this.#authorities = new Map([
      ['server-ca', new X509Certificate(serverCA)],
      ['client-ca', new X509Certificate(clientCA)],
    ]);
    const subject = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] };
    this.#wanted = {
      'client-kubelet': {
        ...subject,
        name: 'client-kubelet',
        issuer: 'client-ca',
        usage: 'client',
        dnsNames: [],
        ipAddresses: [],
      },
      'serving-kubelet': {
        ...subject,
        name: 'serving-kubelet',
        issuer: 'server-ca',
        usage: 'server',
        dnsNames: [...new Set([nodeName, 'localhost'])],
        ipAddresses: [...new Set(['127.0.0.1', ...addresses].map(canonicalIP))],
      },
    };
  }

  /** Reads what is on disk and still of use. */
  async load(): Promise<void> {
    for (const name of ['client-kubelet', 'serving-kubelet'] as const) {
      const pair = await readPair(this.#stem(name));
      if (pair === undefined) continue;
      this.#hold(name, pair);
      const reason = this.#reasonToRenew(name);
      if ((reason !== undefined && !USABLE.has(reason)) || this.#hasEnded(name)) this.#held.delete(name);
    }
  }

  /** The certificate the node shows to servers; undefined when it has to join first. */
  get client(): KeyPairPem | undefined {
    return this.#held.get('client-kubelet')?.pair;
  }

  /** What the kubelet serves with. Throws before `start` has resolved. */
  get serving(): KeyPairPem {
    const held = this.#held.get('serving-kubelet');
    if (held === undefined) throw new Error('the serving certificate was asked for before it was there');
    return held.pair;
  }

  /** Calls `listener` after a certificate was renewed; returns the unsubscriber. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks for the node's first client certificate with the client of a machine that joins. */
  async obtainClient(joining: Client, signal: AbortSignal): Promise<void> {
    await this.#renew('client-kubelet', joining, signal);
  }

  /** From now on requests are made with `client`, which acts as the node. To be called before `start`. */
  use(client: Client): void {
    this.#client = client;
  }

  /** Resolves when there is a serving certificate; goes on renewing. */
  async start(outer: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([outer, this.#stopping.signal]);
    await this.#keepSatisfied(signal, FIRST_RETRY_MS, () => this.#held.has('serving-kubelet'));
    this.#running = this.#watch(signal);
  }

  async ready(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await this.#keepSatisfied(signal, Math.min(RETRY_MS, this.#lookEveryMs), () => this.#due().length === 0);
      await sleep(clock, this.#lookEveryMs, signal);
    }
  }

  /** Renews what is due, again and again, until `isEnough`. */
  async #keepSatisfied(signal: AbortSignal, retryMs: number, isEnough: () => boolean): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted && !isEnough()) {
      for (const name of this.#due()) {
        try {
          await this.#renewAsNode(name, signal);
        } catch (error) {
          if (signal.aborted) return;
          log.warn('certificate not renewed, trying again', { name, error: errorText(error) });
        }
      }
      if (!isEnough()) await sleep(clock, retryMs, signal);
    }
  }

  /** Renews with the certificate of before, or, when that counts no more, as a machine that joins. */
  async #renewAsNode(name: Name, signal: AbortSignal): Promise<void> {
    const { joinAgain } = this.#options;
    if (name !== 'client-kubelet' || !this.#hasEnded(name)) {
      if (this.#client !== undefined) await this.#renew(name, this.#client, signal);
      return;
    }
    // The name is claimed anew, too: it may have been given away meanwhile.
    const client = await joinAgain(signal);
    try {
      await this.#renew(name, client, signal);
    } finally {
      client.close();
    }
  }

  get #lookEveryMs(): number {
    return lookEvery(this.#lifetimeMs);
  }

  get #lifetimeMs(): number {
    return this.#options.lifetimeMs ?? LEAF_LIFETIME_MS;
  }

  #due(): Name[] {
    return (['client-kubelet', 'serving-kubelet'] as const).filter((name) => this.#reasonToRenew(name) !== undefined);
  }

  #reasonToRenew(name: Name): IssueReason | undefined {
    const held = this.#held.get(name);
    const existing = new Map<string, ExistingLeaf>(held === undefined ? [] : [[name, held.leaf]]);
    return planCertificates(existing, [this.#wanted[name]], this.#options.clock.now(), this.#lifetimeMs)[0]?.reason;
  }

  #hasEnded(name: Name): boolean {
    const held = this.#held.get(name);
    return held !== undefined && held.leaf.notAfter <= this.#options.clock.now();
  }

  /** What cannot be read counts as not there. */
  #hold(name: Name, pair: KeyPairPem): void {
    const leaf = readLeaf(pair, this.#authorities);
    if (leaf === undefined) this.#held.delete(name);
    else this.#held.set(name, { pair, leaf });
  }

  async #renew(name: Name, client: Client, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const reason = this.#reasonToRenew(name) ?? 'asked for';
    const pair = await requestCertificate(client, this.#request(name), clock, signal);
    await mkdir(this.#options.paths.agent, { recursive: true });
    const stem = this.#stem(name);
    // The key goes first: a certificate on disk always has its key, also after a crash between the two.
    await writeFileAtomic(`${stem}.key`, pair.key, { mode: 0o600 });
    await writeFileAtomic(`${stem}.crt`, pair.certificate, { mode: 0o644 });
    this.#hold(name, pair);
    log.info('certificate issued', { name, reason });
    for (const listener of [...this.#listeners]) listener();
  }

  #request(name: Name): WantedCertificate {
    return name === 'client-kubelet'
      ? { subject: this.#wanted[name], signerName: SIGNERS.kubeletClient, usage: 'client auth' }
      : { subject: this.#wanted[name], signerName: SIGNERS.kubeletServing, usage: 'server auth' };
  }

  #stem(name: Name): string {
    return join(this.#options.paths.agent, name);
  }
}

async function readPair(stem: string): Promise<KeyPairPem | undefined> {
  try {
    const [certificate, key] = await Promise.all([readFile(`${stem}.crt`, 'utf8'), readFile(`${stem}.key`, 'utf8')]);
    return { certificate, key };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
