/** Leader election by a Lease of coordination.k8s.io, with the rules and times of client-go's leaderelection. */
import type { Lease } from '../api/generated/coordination-v1.ts';
import { leases } from '../api/resources.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { formatMicroTime } from '../apimachinery/time.ts';
import { type Clock, sleep } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Client } from './client.ts';

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** Name of the Lease in kube-system: `kube-controller-manager`. */
  readonly lease: string;
  /** Who this is, unique among the candidates. */
  readonly identity: string;
  /** Makes what the leader runs; called anew each time the lead is won. */
  readonly lead: () => Component;
}

const NAMESPACE = 'kube-system';
/** Others take over when the lease was not renewed for so long. */
const LEASE_MS = 15_000;
/** The leader gives up when it could not renew for so long: it has stopped before the next one begins. */
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

type Attempt = 'held' | 'other' | 'failed';

/**
 * Runs `lead()`'s component while this candidate holds the Lease. Losing it stops the component, and the candidate
 * stands again; stopping gives the Lease away at once. It is ready when the first attempt is decided.
 */
export class LeaderElection implements Component {
  readonly name: string;
  readonly #options: LeaderElectionOptions;
  readonly #stopping = new AbortController();
  readonly #decided = Promise.withResolvers<void>();
  /** The Lease as seen last and when it was seen to change: by this clock, since others' may be wrong. */
  #observed: { readonly version: string; readonly at: number } | undefined;
  #holder = '';
  #running: Promise<void> = Promise.resolve();

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.name = `leader-election/${options.lease}`;
  }

  /** The holder as this candidate knows it; empty when nobody holds the lease. */
  get holder(): string {
    return this.#holder;
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  async ready(): Promise<void> {
    await this.#decided.promise;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#decided.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const attempt = await this.#attempt();
      if (attempt === 'held') await this.#lead();
      else if (attempt === 'other') this.#decided.resolve();
      await sleep(clock, RETRY_MS, signal);
    }
  }

  /** Leads until the lease is lost or this candidate stops. */
  async #lead(): Promise<void> {
    const { clock, log, lease, lead } = this.#options;
    const { signal } = this.#stopping;
    const component = lead();
    const ending = new AbortController();
    log.info('leading', { lease });
    const failed = new AbortController();
    const started = (async () => {
      try {
        await component.start(ending.signal);
        await component.ready();
        this.#decided.resolve();
      } catch (error) {
        if (!ending.signal.aborted) log.error('cannot lead', { lease, error: errorText(error) });
        failed.abort();
      }
    })();
    await this.#renew(AbortSignal.any([signal, failed.signal]));
    ending.abort();
    try {
      // What still starts may wait for what will not come: stopping it makes it give up.
      await component.stop();
      await started;
    } catch (error) {
      log.error('did not stop leading cleanly', { lease, error: errorText(error) });
    }
    this.#decided.resolve();
    if (signal.aborted || failed.signal.aborted) await this.#release();
    else log.warn('lost the lead', { lease, holder: this.#holder });
    await sleep(clock, 0, signal);
  }

  /** Renews the lease until it is lost or `signal` aborts. A renewal that hangs must not keep it past its deadline. */
  async #renew(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let renewed = clock.now();
    while (!signal.aborted) {
      await sleep(clock, RETRY_MS, signal);
      if (signal.aborted) return;
      const begun = clock.now();
      const left = renewed + RENEW_DEADLINE_MS - begun;
      const late = new AbortController();
      const outcome = await Promise.race([
        this.#attempt(),
        sleep(clock, left, AbortSignal.any([signal, late.signal])).then((): Attempt => 'failed'),
      ]);
      late.abort();
      if (outcome === 'other') return;
      if (outcome === 'held') renewed = begun;
      else if (clock.now() >= renewed + RENEW_DEADLINE_MS) return;
    }
  }

  /** Takes or renews the lease if it may be. Never rejects. */
  async #attempt(): Promise<Attempt> {
    const { client, clock, log, lease: name, identity } = this.#options;
    try {
      const now = clock.now();
      const present = await this.#find();
      if (present === undefined) {
        const spec = { ...this.#spec(now), acquireTime: formatMicroTime(now), leaseTransitions: 0 };
        await client.create(leases, { metadata: { name, namespace: NAMESPACE }, spec });
        this.#holder = identity;
        return 'held';
      }
      const { resourceVersion } = present.metadata;
      const holder = present.spec?.holderIdentity ?? '';
      if (this.#observed?.version !== resourceVersion) this.#observed = { version: resourceVersion ?? '', at: now };
      this.#holder = holder;
      if (holder !== '' && holder !== identity && this.#observed.at + durationOf(present) > now) return 'other';
      const changes = holder !== identity;
      const spec = {
        ...present.spec,
        ...this.#spec(now),
        ...(changes ? { acquireTime: formatMicroTime(now) } : {}),
        leaseTransitions: (present.spec?.leaseTransitions ?? 0) + (changes ? 1 : 0),
      };
      const { managedFields: _, ...metadata } = present.metadata;
      await client.update(leases, { ...present, metadata, spec });
      this.#holder = identity;
      return 'held';
    } catch (error) {
      log.debug('the lease was not taken', { lease: name, error: errorText(error) });
      return 'failed';
    }
  }

  /** Gives the lease away, so that the next leader need not wait for it to run out. */
  async #release(): Promise<void> {
    const { client, clock, log, lease: name, identity } = this.#options;
    try {
      const present = await this.#find();
      if (present?.spec?.holderIdentity !== identity) return;
      const spec = { ...present.spec, holderIdentity: '', leaseDurationSeconds: 1 };
      const { managedFields: _, ...metadata } = present.metadata;
      await client.update(leases, {
        ...present,
        metadata,
        spec: { ...spec, renewTime: formatMicroTime(clock.now()) },
      });
    } catch (error) {
      log.debug('the lease was not given away', { lease: name, error: errorText(error) });
    }
  }

  #spec(now: number): object {
    const { identity } = this.#options;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: LEASE_MS / 1000,
      renewTime: formatMicroTime(now),
    };
  }

  async #find(): Promise<Lease | undefined> {
    try {
      return await this.#options.client.get(leases, this.#options.lease, NAMESPACE);
    } catch (error) {
      if (isStatusReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

const durationOf = ({ spec }: Lease): number => (spec?.leaseDurationSeconds ?? LEASE_MS / 1000) * 1000;
