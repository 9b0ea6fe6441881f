import type { Pod, ReplicationController, Service } from '../api/generated/core-v1.ts';
import type { LabelSelector } from '../api/generated/meta-v1.ts';
import { replicaSets, replicationControllers, services, statefulSets } from '../api/resources.ts';
import { everyLabel, LabelMatcher, labelMapMatcher, labelMatcher } from '../apimachinery/labels.ts';
import { controllerOf } from '../apimachinery/object-meta.ts';
import type { Client } from '../client/client.ts';

/** Reads the objects that {@link defaultSelector} needs; their changes wake no Pod, as they only move scores. */
export function defaultSelector(client: Client): (pod: Pod) => LabelMatcher {
  const serviceInformer = client.informer(services);
  const controllers = client.informer(replicationControllers);
  const sets = client.informer(replicaSets);
  const statefuls = client.informer(statefulSets);
  return (pod) => {
    const { namespace, labels } = pod.metadata;
    const selecting = serviceInformer.list(namespace).filter((service) => selects(service, labels));
    const merged: Record<string, string> = Object.assign({}, ...selecting.map(({ spec }) => spec.selector));
    const owner = controllerOf(pod);
    let more: LabelSelector | null | undefined;
    if (owner?.kind === 'ReplicationController' && owner.apiVersion === 'v1') {
      const controller: ReplicationController | undefined = controllers.get(owner.name, namespace);
      Object.assign(merged, controller?.spec.selector);
    } else if (owner?.kind === 'ReplicaSet' && owner.apiVersion === 'apps/v1') {
      more = sets.get(owner.name, namespace)?.spec.selector;
    } else if (owner?.kind === 'StatefulSet' && owner.apiVersion === 'apps/v1') {
      more = statefuls.get(owner.name, namespace)?.spec.selector;
    }
    const own = labelMapMatcher(merged).requirements;
    const requirements = [...own, ...(more === undefined || more === null ? [] : labelMatcher(more).requirements)];
    return requirements.length === 0 ? everyLabel : new LabelMatcher(requirements);
  };
}

const selects = ({ spec }: Service, labels: Pod['metadata']['labels']): boolean =>
  Object.keys(spec.selector ?? {}).length > 0 && labelMapMatcher(spec.selector).matches(labels);
