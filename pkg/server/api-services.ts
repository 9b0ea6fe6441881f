import { apiServices } from '../api/resources.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import type { ResourceRegistry } from '../apiserver/resource-registry.ts';
import type { Client } from '../client/client.ts';

/** Group priority and, where it is not DEFAULT_VERSION, version priority: upstream's apiVersionPriorities. */
const PRIORITIES: Readonly<Record<string, readonly [group: number, version?: number]>> = {
  'v1.': [18_000, 1],
  'v1.apps': [17_800],
  'v1.events.k8s.io': [17_750],
  'v1.authentication.k8s.io': [17_700],
  'v1.authorization.k8s.io': [17_600],
  'v1.autoscaling': [17_500],
  'v2.autoscaling': [17_500, 30],
  'v1.batch': [17_400],
  'v1.certificates.k8s.io': [17_300],
  'v1.networking.k8s.io': [17_200],
  'v1.policy': [17_100],
  'v1.rbac.authorization.k8s.io': [17_000],
  'v1.storage.k8s.io': [16_800],
  'v1.apiextensions.k8s.io': [16_700],
  'v1.admissionregistration.k8s.io': [16_700],
  'v1.scheduling.k8s.io': [16_600],
  'v1.coordination.k8s.io': [16_500],
  'v1.node.k8s.io': [16_300],
  'v1.discovery.k8s.io': [16_200, 12],
  'v1.flowcontrol.apiserver.k8s.io': [16_100, 21],
  'v1.resource.k8s.io': [15_900, 20],
  // metrics-server's own manifest.
  'v1beta1.metrics.k8s.io': [100, 100],
};
const DEFAULT_VERSION = 15;
/** The API registration itself is no APIService (kube-aggregator serves it). */
const UNLISTED = 'apiregistration.k8s.io';
/** kube-aggregator's mark of the APIServices it keeps itself. */
const AUTOMANAGED = { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' };

const METRICS = 'v1beta1.metrics.k8s.io';

/** Sees that every group version the server has is an APIService, and that the metrics API is none when it is not served. */
export async function ensureAPIServices(client: Client, registry: ResourceRegistry): Promise<void> {
  const served = new Map<string, { group: string; version: string }>();
  for (const { type } of registry.all()) {
    const { group, version } = type;
    if (group !== UNLISTED) served.set(`${version}.${group}`, { group, version });
  }
  await Promise.all([
    ...[...served].map(([name, { group, version }]) => ensure(client, name, group, version)),
    ...(served.has(METRICS) ? [] : [removeOwn(client, METRICS)]),
  ]);
}

async function ensure(client: Client, name: string, group: string, version: string): Promise<void> {
  const [groupPriorityMinimum, versionPriority = DEFAULT_VERSION] = PRIORITIES[name] ?? [1000];
  const spec = { ...(group === '' ? {} : { group }), version, groupPriorityMinimum, versionPriority };
  try {
    await client.create(apiServices, { metadata: { name, labels: AUTOMANAGED }, spec });
  } catch (error) {
    if (!isStatusReason(error, 'AlreadyExists')) throw error;
  }
}

/** Leaves an APIService alone that leads to a Service: a metrics-server that users have installed. */
async function removeOwn(client: Client, name: string): Promise<void> {
  try {
    const found = await client.get(apiServices, name);
    if (found.spec.service === undefined) await client.delete(apiServices, name);
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) throw error;
  }
}
