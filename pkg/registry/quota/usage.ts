/** What objects use of ResourceQuotas (k8s.io/kubernetes/pkg/quota/v1/evaluator/core). */
import type { PersistentVolumeClaim, Pod, Service } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, pods, services } from '../../api/resources.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { podResources, type Quantities, quantitiesOf } from '../../apimachinery/pod-resources.ts';
import { parseQuantity, Quantity } from '../../apimachinery/quantity.ts';
import { groupResourceText } from '../../apimachinery/status-error.ts';
import { parseTime } from '../../apimachinery/time.ts';

/** Kinds that are also counted by their bare name, from before `count/` came. */
const COUNTED_BY_NAME: ReadonlySet<string> = new Set([
  'configmaps',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
]);
const COMPUTE: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage']);
const HUGE_PAGES = 'hugepages-';
const STORAGE_CLASS = '.storageclass.storage.k8s.io/';
const ONE = Quantity.of(1);

const countName = (type: ResourceType): string => `count/${groupResourceText(type)}`;

/** Whether objects of `type` may use the resource that a quota calls `name`. */
export function isUsedBy(type: ResourceType, name: string): boolean {
  if (name === countName(type)) return true;
  if (type.group !== '') return false;
  if (COUNTED_BY_NAME.has(type.resource) && name === type.resource) return true;
  switch (type.resource) {
    case 'pods':
      return isPodResource(name);
    case 'services':
      return name === 'services.nodeports' || name === 'services.loadbalancers';
    case 'persistentvolumeclaims':
      return name === 'requests.storage' || name.includes(STORAGE_CLASS);
    default:
      return false;
  }
}

function isPodResource(name: string): boolean {
  if (name === 'pods' || COMPUTE.has(name) || name.startsWith(HUGE_PAGES)) return true;
  const [, side, resource = ''] = /^(requests|limits)\.(.+)$/.exec(name) ?? [];
  if (side === undefined) return false;
  if (COMPUTE.has(resource)) return true;
  return side === 'requests' && (resource.startsWith(HUGE_PAGES) || resource.includes('/'));
}

/** What `object` uses, at `now` (milliseconds). */
export function usageOf(type: ResourceType, object: KubeObject, now: number): Quantities {
  const usage: Quantities = new Map([[countName(type), ONE]]);
  if (type.group !== '') return usage;
  if (COUNTED_BY_NAME.has(type.resource)) usage.set(type.resource, ONE);
  if (type.resource === pods.resource) addPod(usage, object as Pod, now);
  if (type.resource === services.resource) addService(usage, object as Service);
  if (type.resource === persistentVolumeClaims.resource) addClaim(usage, object as PersistentVolumeClaim);
  return usage;
}

/** Pods that have ended use nothing, nor do those that should have been gone by now. */
function addPod(usage: Quantities, pod: Pod, now: number): void {
  const { phase } = pod.status ?? {};
  const end = parseTime(pod.metadata.deletionTimestamp);
  if (phase === 'Succeeded' || phase === 'Failed' || (end !== undefined && end < now)) return;
  usage.set('pods', ONE);
  addCompute(usage, podResources(pod, 'requests'), podResources(pod, 'limits'));
}

function addCompute(usage: Quantities, requests: Quantities, limits: Quantities): void {
  for (const [name, amount] of requests) {
    if (COMPUTE.has(name) || name.startsWith(HUGE_PAGES)) usage.set(name, amount);
    if (isPodResource(`requests.${name}`)) usage.set(`requests.${name}`, amount);
  }
  for (const [name, amount] of limits) if (COMPUTE.has(name)) usage.set(`limits.${name}`, amount);
}

function addService(usage: Quantities, { spec }: Service): void {
  const ports = spec.ports ?? [];
  const isBalanced = spec.type === 'LoadBalancer';
  if (isBalanced) usage.set('services.loadbalancers', ONE);
  if (!isBalanced && spec.type !== 'NodePort') return;
  const allocated = isBalanced && spec.allocateLoadBalancerNodePorts === false;
  const count = allocated ? ports.filter(({ nodePort }) => Boolean(nodePort)).length : ports.length;
  usage.set('services.nodeports', Quantity.of(count));
}

function addClaim(usage: Quantities, { spec }: PersistentVolumeClaim): void {
  const storageClass = spec.storageClassName;
  if (storageClass) usage.set(`${storageClass}${STORAGE_CLASS}persistentvolumeclaims`, ONE);
  const text = spec.resources?.requests?.['storage'];
  if (text === undefined) return;
  const storage = parseQuantity(text);
  usage.set('requests.storage', storage);
  if (storageClass) usage.set(`${storageClass}${STORAGE_CLASS}requests.storage`, storage);
}

/** Only of these must every container say what it wants when a quota limits them. */
const REQUIRED: ReadonlySet<string> = new Set(
  ['', 'requests.', 'limits.'].flatMap((side) => [`${side}cpu`, `${side}memory`]),
);

/**
 * What the containers of `pod` leave unsaid although a quota limits it, in upstream's words:
 * `must specify limits.cpu for: a,b`; undefined when nothing is missing.
 */
export function unspecified({ spec }: Pod, limited: readonly string[]): string | undefined {
  const missing = new Map<string, string[]>();
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    const said: Quantities = new Map();
    const { requests, limits } = container.resources ?? {};
    addCompute(said, quantitiesOf(requests), quantitiesOf(limits));
    addCompute(said, quantitiesOf(spec.resources?.requests), quantitiesOf(spec.resources?.limits));
    for (const name of limited) {
      if (!REQUIRED.has(name) || said.has(name)) continue;
      missing.set(name, [...(missing.get(name) ?? []), container.name]);
    }
  }
  if (missing.size === 0) return undefined;
  const parts = [...missing].sort(([a], [b]) => (a < b ? -1 : 1));
  return `must specify ${parts.map(([name, containers]) => `${name} for: ${containers.sort().join(',')}`).join('; ')}`;
}
