/** Upstream's endpoints-controller: the older Endpoints object of every Service with a selector. */
import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Endpoints,
  Pod,
  Service,
} from '../../api/generated/core-v1.ts';
import { endpoints, pods, services } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { stableStringify } from '../../apimachinery/hash.ts';
import { objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { type ControllerContext, createController, watch, watchOwn } from '../controller.ts';
import { isPodReady } from '../pod-state.ts';
import {
  addressesOf,
  addressTypesOf,
  endpointPorts,
  hasManagedEndpoints,
  hostnameFor,
  isHeadless,
  targetRefOf,
} from './endpoint.ts';
import { selectedPods, watchPodsOf } from './endpoint-watches.ts';
import { HEADLESS } from './slices.ts';
import { TriggerTimes, withTriggerTime } from './trigger-time.ts';

const WORKERS = 5;
const MOST_ADDRESSES = 1000;
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

/** The subsets for `selected`, addresses with the same ports together; pure. */
export function endpointSubsets(service: Service, selected: readonly Pod[]): EndpointSubset[] {
  const family = addressTypesOf(service)[0] ?? 'IPv4';
  const publishAll = service.spec.publishNotReadyAddresses === true;
  const portless = isHeadless(service) && (service.spec.ports ?? []).length === 0;
  const subsets = new Map<string, { ports: EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  for (const pod of selected) {
    const [ip] = addressesOf(pod, family);
    if (ip === undefined || (pod.metadata.deletionTimestamp !== undefined && !publishAll)) continue;
    const ports = endpointPorts(pod, service).map(({ port = 0, ...rest }) => ({ ...rest, port }));
    if (ports.length === 0 && !portless) continue;
    const key = ports.map(stableStringify).sort().join();
    const subset = subsets.get(key) ?? { ports, ready: [], notReady: [] };
    subsets.set(key, subset);
    const hostname = hostnameFor(pod, service);
    const address = {
      ip,
      ...(hostname !== undefined && { hostname }),
      ...(pod.spec.nodeName && { nodeName: pod.spec.nodeName }),
      targetRef: targetRefOf(pod),
    };
    (publishAll || isPodReady(pod) ? subset.ready : subset.notReady).push(address);
  }
  const byAddress = (a: EndpointAddress, b: EndpointAddress): number =>
    a.ip === b.ip ? compare(a.targetRef?.uid ?? '', b.targetRef?.uid ?? '') : compare(a.ip, b.ip);
  return [...subsets.entries()]
    .sort(([a], [b]) => compare(a, b))
    .map(([, { ports, ready, notReady }]) => ({
      ...(ready.length > 0 && { addresses: ready.sort(byAddress) }),
      ...(notReady.length > 0 && { notReadyAddresses: notReady.sort(byAddress) }),
      ...(ports.length > 0 && { ports }),
    }));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Cuts `subsets` to the most addresses an Endpoints object may have, ready ones first. */
function truncated(subsets: EndpointSubset[]): { subsets: EndpointSubset[]; cut: boolean } {
  const count = (list: readonly EndpointAddress[] | undefined): number => list?.length ?? 0;
  const total = subsets.reduce((sum, subset) => sum + count(subset.addresses) + count(subset.notReadyAddresses), 0);
  if (total <= MOST_ADDRESSES) return { subsets, cut: false };
  let room = MOST_ADDRESSES;
  const take = (list: EndpointAddress[] | undefined): EndpointAddress[] => {
    const taken = (list ?? []).slice(0, room);
    room -= taken.length;
    return taken;
  };
  const ready = subsets.map((subset) => take(subset.addresses));
  const kept = subsets.map((subset, index) => {
    const addresses = ready[index] ?? [];
    const notReadyAddresses = take(subset.notReadyAddresses);
    return {
      ...(addresses.length > 0 && { addresses }),
      ...(notReadyAddresses.length > 0 && { notReadyAddresses }),
      ...(subset.ports && { ports: subset.ports }),
    };
  });
  return { subsets: kept.filter((subset) => subset.addresses || subset.notReadyAddresses), cut: true };
}

export function createEndpointsController(context: ControllerContext): Component {
  const { client, recorder } = context;
  const serviceInformer = client.informer(services);
  const podInformer = client.informer(pods);
  const endpointsInformer = client.informer(endpoints);
  const triggerTimes = new TriggerTimes();

  async function reconcile(key: string): Promise<undefined> {
    const { namespace, name } = splitKey(key);
    const service = serviceInformer.get(name, namespace);
    if (service === undefined) {
      triggerTimes.forget(key);
      await remove(namespace, name);
      return;
    }
    if (!hasManagedEndpoints(service)) return;
    const selected = selectedPods(service, podInformer);
    const { subsets, cut } = truncated(endpointSubsets(service, selected));
    const existing = endpointsInformer.get(name, namespace);
    const labels = { ...service.metadata.labels, ...(isHeadless(service) && { [HEADLESS]: '' }) };
    const time = triggerTimes.next(key, service, selected);
    const wasCut = existing?.metadata.annotations?.[OVER_CAPACITY] !== undefined;
    if (
      existing !== undefined &&
      semanticEqual(existing.subsets, subsets) &&
      semanticEqual(existing.metadata.labels ?? {}, labels) &&
      wasCut === cut
    ) {
      return;
    }
    const { [OVER_CAPACITY]: _, ...annotations } = withTriggerTime(existing?.metadata.annotations, time);
    const metadata = {
      ...(existing?.metadata ?? { name, namespace }),
      labels,
      annotations: cut ? { ...annotations, [OVER_CAPACITY]: 'truncated' } : annotations,
    };
    await write(service, { ...existing, metadata, subsets }, existing === undefined);
  }

  async function write(service: Service, object: Input<Endpoints>, isNew: boolean): Promise<void> {
    try {
      await (isNew ? client.create(endpoints, object) : client.update(endpoints, object));
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!isStatusReason(error, 'Conflict') && !isStatusReason(error, 'AlreadyExists')) {
        const reason = isNew ? 'FailedToCreateEndpoint' : 'FailedToUpdateEndpoint';
        const verb = isNew ? 'create endpoint for' : 'update endpoint';
        const message = `Failed to ${verb} ${isNew ? 'service ' : ''}${objectKey(service)}: ${errorText(error)}`;
        recorder.event(referenceTo(services, service), 'Warning', reason, message);
      }
      throw error;
    }
  }

  async function remove(namespace: string, name: string): Promise<void> {
    if (endpointsInformer.get(name, namespace) === undefined) return;
    try {
      await client.delete(endpoints, name, { namespace });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  return createController(
    {
      name: 'endpoints-controller',
      workers: WORKERS,
      watches: [
        watchOwn(serviceInformer),
        watchPodsOf(serviceInformer, podInformer),
        // Only what someone else deletes has to come back; Endpoints without a Service are nobody's business here.
        watch(endpointsInformer, ({ type, object }, queue) => {
          const { name, namespace } = object.metadata;
          if (type === 'deleted' && serviceInformer.get(name, namespace) !== undefined) queue.add(objectKey(object));
        }),
      ],
      reconcile,
    },
    context,
  );
}
