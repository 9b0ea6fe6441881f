/** Upstream's endpointslice-controller: keeps the EndpointSlices of every Service with a selector. */
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { endpointSlices, nodes, pods, services } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { keyOf, objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { type ControllerContext, createController, watch, watchOwn } from '../controller.ts';
import { hasManagedEndpoints } from './endpoint.ts';
import { selectedPods, watchPodsOf } from './endpoint-watches.ts';
import { CONTROLLER_NAME, MANAGED_BY, planSlices, SERVICE_NAME } from './slices.ts';
import { TriggerTimes, withTriggerTime } from './trigger-time.ts';
import { WrittenSlices } from './written-slices.ts';

const WORKERS = 5;
const ZONE = 'topology.kubernetes.io/zone';

export function createEndpointSliceController(context: ControllerContext): Component {
  const { client, recorder } = context;
  const serviceInformer = client.informer(services);
  const podInformer = client.informer(pods);
  const nodeInformer = client.informer(nodes);
  const sliceInformer = client.informer(endpointSlices);
  const triggerTimes = new TriggerTimes();
  const written = new WrittenSlices(sliceInformer);

  function serviceKey(slice: EndpointSlice): string | undefined {
    const { labels, namespace } = slice.metadata;
    const name = labels?.[SERVICE_NAME];
    return labels?.[MANAGED_BY] === CONTROLLER_NAME && name !== undefined ? keyOf(namespace, name) : undefined;
  }

  async function reconcile(key: string): Promise<undefined> {
    const { namespace, name } = splitKey(key);
    const service = serviceInformer.get(name, namespace);
    if (service === undefined || !hasManagedEndpoints(service)) {
      // The slices of a deleted Service go with their owner.
      triggerTimes.forget(key);
      written.forget(key);
      return;
    }
    // The slice's event, when it comes, brings the Service back.
    if (service.metadata.deletionTimestamp !== undefined || written.isAhead(key)) return;
    const selected = selectedPods(service, podInformer);
    const nodeless = selected.filter(({ spec }) => spec.nodeName && nodeInformer.get(spec.nodeName) === undefined);
    const unpublished = service.spec.publishNotReadyAddresses ? new Set() : new Set(nodeless);
    const plan = planSlices({
      service,
      pods: selected.filter((pod) => !unpublished.has(pod)),
      nodeOf: ({ spec }) => (spec.nodeName ? nodeInformer.get(spec.nodeName) : undefined),
      existing: sliceInformer
        .list(namespace)
        .filter((slice) => serviceKey(slice) === key && slice.metadata.deletionTimestamp === undefined),
    });
    const time = triggerTimes.next(key, service, selected);
    const stamped = (slice: Input<EndpointSlice>): Input<EndpointSlice> => ({
      ...slice,
      metadata: { ...slice.metadata, annotations: withTriggerTime(slice.metadata?.annotations as never, time) },
    });
    try {
      for (const slice of plan.create) written.note(key, await client.create(endpointSlices, stamped(slice)));
      for (const slice of plan.update) written.note(key, await client.update(endpointSlices, stamped(slice)));
      for (const slice of plan.remove) await remove(slice);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!isStatusReason(error, 'Conflict')) {
        const message = `Error updating Endpoint Slices for Service ${key}: ${errorText(error)}`;
        recorder.event(referenceTo(services, service), 'Warning', 'FailedToUpdateEndpointSlices', message);
      }
      throw error;
    }
  }

  async function remove({ metadata: { name, namespace = '' } }: EndpointSlice): Promise<void> {
    try {
      await client.delete(endpointSlices, name, { namespace });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  return createController(
    {
      name: 'endpointslice-controller',
      workers: WORKERS,
      watches: [
        watchOwn(serviceInformer),
        watchPodsOf(serviceInformer, podInformer),
        watch(sliceInformer, ({ type, object }, queue) => {
          const key = serviceKey(object);
          if (key === undefined) return;
          if (type === 'deleted') written.forgetSlice(key, object.metadata.name);
          queue.add(key);
        }),
        // Endpoints carry their node's zone, and those of unknown nodes are held back.
        watch(nodeInformer, (event, queue) => {
          if (event.type === 'modified' && zone(event.old) === zone(event.object)) return;
          for (const service of serviceInformer.list()) queue.add(objectKey(service));
        }),
      ],
      reconcile,
    },
    context,
  );
}

const zone = ({ metadata }: { metadata: { labels?: Record<string, string> | undefined } }): string | undefined =>
  metadata.labels?.[ZONE];
