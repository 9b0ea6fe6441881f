import { createHash } from 'node:crypto';
import type { Lease } from '../../api/generated/coordination-v1.ts';
import { leases } from '../../api/resources.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { formatMicroTime } from '../../apimachinery/time.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import type { Component } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { ensureKubernetesEndpoints } from '../bootstrap-objects.ts';
import { CRITICAL_ANNOTATION, SERVER_LEASE_LABEL, SERVER_LEASE_MS } from './agreement.ts';

export interface ApiEndpointsOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  /** The settings the servers have to agree in. */
  readonly critical: Readonly<Record<string, string>>;
  /** Where this API server is reached. */
  readonly address: string;
  readonly port: number;
}

const NAMESPACE = 'kube-system';
const ADDRESS = 'kedge.io/api-server-address';
const RENEW_MS = 5_000;

/**
 * Keeps the endpoints of `default/kubernetes` at the API servers that live, as upstream's lease endpoint reconciler:
 * each renews a Lease, and each takes those out whose Lease was not renewed. Upstream's identity Leases
 * (`kube-system/apiserver-<hash>`) carry the address here.
 */
export class ApiEndpoints implements Component {
  readonly name = 'api-endpoints';
  readonly #options: ApiEndpointsOptions;
  readonly #lease: string;
  readonly #stopping = new AbortController();
  /** When each Lease was last seen to change, by this clock: others' may be wrong. */
  readonly #seen = new Map<string, { readonly version: string; readonly at: number }>();
  #running: Promise<void> = Promise.resolve();

  constructor(options: ApiEndpointsOptions) {
    this.#options = options;
    this.#lease = `apiserver-${createHash('sha256').update(options.nodeName).digest('hex').slice(0, 26)}`;
  }

  async start(): Promise<void> {
    await this.#reconcile();
    this.#running = this.#run();
  }

  async ready(): Promise<void> {}

  /** Takes this server out at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    const { client, log } = this.#options;
    try {
      await client.delete(leases, this.#lease, { namespace: NAMESPACE });
      await this.#write();
    } catch (error) {
      log.debug('this API server stays among the endpoints until its lease runs out', { error: errorText(error) });
    }
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      await sleep(clock, RENEW_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#reconcile();
      } catch (error) {
        log.warn('the endpoints of the API servers are not up to date', { error: errorText(error) });
      }
    }
  }

  async #reconcile(): Promise<void> {
    await this.#renew();
    await this.#write();
  }

  async #renew(): Promise<void> {
    const { client, clock, nodeName, critical, address } = this.#options;
    const spec = {
      holderIdentity: nodeName,
      leaseDurationSeconds: SERVER_LEASE_MS / 1000,
      renewTime: formatMicroTime(clock.now()),
    };
    const annotations = { [ADDRESS]: address, [CRITICAL_ANNOTATION]: JSON.stringify(critical) };
    const labels = { [SERVER_LEASE_LABEL]: 'kube-apiserver', 'kubernetes.io/hostname': nodeName };
    try {
      const present = await client.get(leases, this.#lease, NAMESPACE);
      const { managedFields: _, ...metadata } = present.metadata;
      await client.update(leases, { ...present, metadata: { ...metadata, annotations, labels }, spec });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
      await client.create(leases, {
        metadata: { name: this.#lease, namespace: NAMESPACE, annotations, labels },
        spec: { ...spec, acquireTime: formatMicroTime(clock.now()) },
      });
    }
  }

  async #write(): Promise<void> {
    const { client, clock, port } = this.#options;
    const { items } = await client.list(leases, {
      namespace: NAMESPACE,
      labelSelector: `${SERVER_LEASE_LABEL}=kube-apiserver`,
    });
    const addresses = livingAddresses(items, this.#seen, clock.now());
    if (addresses.length > 0) await ensureKubernetesEndpoints(client, addresses, port);
  }
}

/** The addresses of the servers whose Lease was seen to change lately; `seen` is brought up to date. */
export function livingAddresses(
  items: readonly Lease[],
  seen: Map<string, { readonly version: string; readonly at: number }>,
  now: number,
): string[] {
  const addresses = items.flatMap(({ metadata }) => {
    const { name, resourceVersion: version = '', annotations } = metadata;
    let last = seen.get(name);
    if (last?.version !== version) {
      last = { version, at: now };
      seen.set(name, last);
    }
    const address = annotations?.[ADDRESS];
    return address !== undefined && last.at + SERVER_LEASE_MS > now ? [address] : [];
  });
  return [...new Set(addresses)].sort();
}
