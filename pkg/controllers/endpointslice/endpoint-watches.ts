/** The watches that the EndpointSlice and the Endpoints controller share. */
import type { Pod, Service } from '../../api/generated/core-v1.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { labelMapMatcher } from '../../apimachinery/labels.ts';
import { objectKey } from '../../apimachinery/object-meta.ts';
import type { Informer } from '../../client/informer.ts';
import { type Watch, watch } from '../controller.ts';
import { isPodReady, isPodTerminal, readyTransitionTime } from '../pod-state.ts';
import { hasEndpoint, hasManagedEndpoints } from './endpoint.ts';

/** The Pods that `service` selects and that have an endpoint. */
export function selectedPods(service: Service, pods: Informer<Pod>): Pod[] {
  const selector = labelMapMatcher(service.spec.selector);
  return pods
    .list(service.metadata.namespace)
    .filter((pod) => hasEndpoint(pod) && selector.matches(pod.metadata.labels));
}

/** Feeds the keys of the Services that a Pod's change concerns; changes that no endpoint shows are passed over. */
export function watchPodsOf(services: Informer<Service>, pods: Informer<Pod>): Watch {
  const selecting = (pod: Pod): string[] =>
    services
      .list(pod.metadata.namespace)
      .filter(
        (service) =>
          hasManagedEndpoints(service) && labelMapMatcher(service.spec.selector).matches(pod.metadata.labels),
      )
      .map(objectKey);
  return watch(pods, (event, queue) => {
    const pod = event.object;
    if (event.type !== 'modified') {
      for (const key of selecting(pod)) queue.add(key);
      return;
    }
    const relabelled = !semanticEqual(event.old.metadata.labels ?? {}, pod.metadata.labels ?? {});
    if (!relabelled && semanticEqual(visible(event.old), visible(pod))) return;
    for (const key of selecting(pod)) queue.add(key);
    if (relabelled) for (const key of selecting(event.old)) queue.add(key);
  });
}

/** What of a Pod shows in its endpoints. */
function visible(pod: Pod): object {
  const { metadata, spec, status } = pod;
  return {
    terminal: isPodTerminal(pod),
    ready: isPodReady(pod),
    readySince: readyTransitionTime(pod),
    deleted: metadata.deletionTimestamp !== undefined,
    ips: status.podIPs ?? status.podIP,
    node: spec.nodeName,
    hostname: spec.hostname,
    subdomain: spec.subdomain,
  };
}
