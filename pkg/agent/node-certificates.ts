import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { type Clock, sleep } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Paths } from '../base/paths.ts';
import type { Client } from '../client/client.ts';
import { type ExistingLeaf, type IssueReason, type LeafSpec, planCertificates } from '../pki/certificate-plan.ts';
import type { KeyPairPem } from '../pki/issue.ts';
import { readLeaf } from '../pki/read-certificate.ts';
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
  readonly clock: Clock;
  readonly log: Logger;
}

type Name = 'client-kubelet' | 'serving-kubelet';

const CHECK_EVERY_MS = 12 * 3600 * 1000;
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
  readonly #pairs = new Map<Name, KeyPairPem>();
  readonly #listeners = new Set<() => void>();
  readonly #stopping = new AbortController();
  #client: Client | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: NodeCertificatesOptions) {
    this.#options = options;
    const { nodeName, addresses } = options;
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
      this.#pairs.set(name, pair);
      const reason = this.#reasonToRenew(name);
      if ((reason !== undefined && !USABLE.has(reason)) || this.#hasEnded(pair)) this.#pairs.delete(name);
    }
  }

  /** The certificate the node shows to servers; undefined when it has to join first. */
  get client(): KeyPairPem | undefined {
    return this.#pairs.get('client-kubelet');
  }

  /** What the kubelet serves with. Throws before `start` has resolved. */
  get serving(): KeyPairPem {
    const pair = this.#pairs.get('serving-kubelet');
    if (pair === undefined) throw new Error('the serving certificate was asked for before it was there');
    return pair;
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
    await this.#keepSatisfied(signal, FIRST_RETRY_MS, () => this.#pairs.has('serving-kubelet'));
    this.#running = this.#watch(signal);
  }

  async ready(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#keepSatisfied(signal, RETRY_MS, () => this.#due().length === 0);
      await sleep(this.#options.clock, CHECK_EVERY_MS, signal);
    }
  }

  /** Renews what is due, again and again, until `isEnough`. */
  async #keepSatisfied(signal: AbortSignal, retryMs: number, isEnough: () => boolean): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted && !isEnough()) {
      for (const name of this.#due()) {
        try {
          if (this.#client !== undefined) await this.#renew(name, this.#client, signal);
        } catch (error) {
          if (signal.aborted) return;
          log.warn('certificate not renewed, trying again', { name, error: errorText(error) });
        }
      }
      if (!isEnough()) await sleep(clock, retryMs, signal);
    }
  }

  #due(): Name[] {
    return (['client-kubelet', 'serving-kubelet'] as const).filter((name) => this.#reasonToRenew(name) !== undefined);
  }

  #reasonToRenew(name: Name): IssueReason | undefined {
    const { serverCA, clientCA, clock } = this.#options;
    const authorities = new Map([
      ['server-ca', new X509Certificate(serverCA)],
      ['client-ca', new X509Certificate(clientCA)],
    ]);
    const pair = this.#pairs.get(name);
    const leaf = pair === undefined ? undefined : readLeaf(pair, authorities);
    const existing = new Map<string, ExistingLeaf>(leaf === undefined ? [] : [[name, leaf]]);
    return planCertificates(existing, [this.#wanted[name]], clock.now())[0]?.reason;
  }

  #hasEnded({ certificate }: KeyPairPem): boolean {
    return new X509Certificate(certificate).validToDate.getTime() <= this.#options.clock.now();
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
    this.#pairs.set(name, pair);
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
