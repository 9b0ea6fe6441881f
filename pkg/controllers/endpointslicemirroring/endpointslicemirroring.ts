/** Upstream's endpointslicemirroring-controller: EndpointSlices for Endpoints that somebody wrote by hand. */
import type { Endpoints } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { endpointSlices, endpoints, services } from '../../api/resources.ts';
import { keyOf, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { type ControllerContext, createController, watch, watchOwn } from '../controller.ts';
import { MANAGED_BY, SERVICE_NAME } from '../endpointslice/slices.ts';
import { WrittenSlices } from '../endpointslice/written-slices.ts';
import { isMirrored, MIRROR_NAME, planMirror } from './mirror.ts';

const WORKERS = 5;

/** Keeps slices for the Endpoints of Services without a selector; those with one get theirs from their Pods. */
export function createEndpointSliceMirroringController(context: ControllerContext): Component {
  const { client, recorder } = context;
  const serviceInformer = client.informer(services);
  const endpointsInformer = client.informer(endpoints);
  const sliceInformer = client.informer(endpointSlices);
  const written = new WrittenSlices(sliceInformer);
  /** Endpoints that have had slices: only for these all slices of a namespace are looked through. */
  const mirrored = new Set<string>();

  function keyOfSlice({ metadata: { labels, namespace } }: EndpointSlice): string | undefined {
    const name = labels?.[SERVICE_NAME];
    return labels?.[MANAGED_BY] === MIRROR_NAME && name !== undefined ? keyOf(namespace, name) : undefined;
  }

  async function reconcile(key: string): Promise<undefined> {
    const { namespace, name } = splitKey(key);
    const source = endpointsInformer.get(name, namespace);
    const service = serviceInformer.get(name, namespace);
    const existing = mirrored.has(key)
      ? sliceInformer.list(namespace).filter((slice) => keyOfSlice(slice) === key)
      : [];
    const selects = Object.keys(service?.spec.selector ?? {}).length > 0;
    if (source === undefined || service === undefined || selects || !isMirrored(source)) {
      written.forget(key);
      for (const slice of existing) await remove(slice);
      mirrored.delete(key);
      return;
    }
    // The slice's event, when it comes, brings the Endpoints back.
    if (source.metadata.deletionTimestamp !== undefined || written.isAhead(key)) return;
    const plan = planMirror(source, existing);
    tell(source, plan);
    try {
      for (const slice of plan.create) written.note(key, await client.create(endpointSlices, slice));
      for (const slice of plan.update) written.note(key, await client.update(endpointSlices, slice));
      for (const slice of plan.remove) await remove(slice);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!isStatusReason(error, 'Conflict')) {
        const message = `Error updating Endpoint Slices for Endpoints ${key}: ${errorText(error)}`;
        recorder.event(referenceTo(endpoints, source), 'Warning', 'FailedToUpdateEndpointSlices', message);
      }
      throw error;
    }
  }

  function tell(source: Endpoints, { invalid, surplus }: { readonly invalid: number; readonly surplus: number }): void {
    const about = referenceTo(endpoints, source);
    if (invalid > 0) {
      const message = `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`;
      recorder.event(about, 'Warning', 'InvalidIPAddress', message);
    }
    if (surplus > 0) {
      const message = `A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. ${surplus} addresses were skipped`;
      recorder.event(about, 'Warning', 'TooManyAddressesToMirror', message);
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
      name: 'endpointslicemirroring-controller',
      workers: WORKERS,
      watches: [
        watchOwn(serviceInformer),
        watchOwn(endpointsInformer),
        watch(sliceInformer, ({ type, object }, queue) => {
          const key = keyOfSlice(object);
          if (key === undefined) return;
          mirrored.add(key);
          if (type === 'deleted') written.forgetSlice(key, object.metadata.name);
          queue.add(key);
        }),
      ],
      reconcile,
    },
    context,
  );
}
