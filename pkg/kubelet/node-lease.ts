import type { Lease } from '../api/generated/coordination-v1.ts';
import { leases, nodes } from '../api/resources.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { formatMicroTime } from '../apimachinery/time.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Client } from '../client/client.ts';

export interface NodeLeaseOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
}

const NAMESPACE = 'kube-node-lease';
const DURATION_SECONDS = 40;
const RENEW_MS = 10_000;
const RETRY_MS = 1000;
/** A server that restarts is back before that: not worth a line in every node's log. */
const QUIET_MS = 10_000;

/**
 * Renews the node's Lease every 10 s until `signal` aborts: the sign that the node is alive (KEP-589). The log tells
 * when that has failed for a while, and when it works again.
 */
export async function keepNodeLease(options: NodeLeaseOptions, signal: AbortSignal): Promise<void> {
  const { client, clock, log, nodeName } = options;
  let lease: Lease | undefined;
  let failingSince: number | undefined;
  let told = false;
  while (!signal.aborted) {
    let pause = RENEW_MS;
    try {
      lease = await renew(client, clock, nodeName, lease);
      if (told) log.info('the cluster hears of this node again', { node: nodeName });
      failingSince = undefined;
      told = false;
    } catch (error) {
      failingSince ??= clock.now();
      if (!told && clock.now() - failingSince >= QUIET_MS && !signal.aborted) {
        told = true;
        const meaning = 'the cluster does not hear of this node and gives it up after 40 s, trying again';
        log.warn(meaning, { node: nodeName, error: errorText(error) });
      }
      lease = undefined;
      pause = RETRY_MS;
    }
    await sleep(clock, pause, signal);
  }
}

async function renew(client: Client, clock: Clock, nodeName: string, known: Lease | undefined): Promise<Lease> {
  const spec = {
    holderIdentity: nodeName,
    leaseDurationSeconds: DURATION_SECONDS,
    renewTime: formatMicroTime(clock.now()),
  };
  const present = known ?? (await find(client, nodeName));
  if (present !== undefined) {
    return client.update(leases, { ...present, spec: { ...present.spec, ...spec } });
  }
  const node = await client.get(nodes, nodeName);
  const owner = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: node.metadata.uid };
  return client.create(leases, { metadata: { name: nodeName, namespace: NAMESPACE, ownerReferences: [owner] }, spec });
}

async function find(client: Client, nodeName: string): Promise<Lease | undefined> {
  try {
    return await client.get(leases, nodeName, NAMESPACE);
  } catch (error) {
    if (isStatusReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
