/** How many Pods the controllers of some Pods want, for budgets that are a share of them. */
import type { Pod } from '../../api/generated/core-v1.ts';
import { deployments, pods, replicaSets, replicationControllers, statefulSets } from '../../api/resources.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '../../api/types.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { controllerOf, type OwnerReference } from '../../apimachinery/object-meta.ts';
import type { Client } from '../../client/client.ts';

type Scaled = KubeObject & { spec: { replicas?: number | undefined } };

export interface ExpectedScale {
  readonly scale: number;
  /** Pods without a controller: they cannot be a share of anything. */
  readonly unmanaged: readonly Pod[];
}

/** The kinds whose scale is known, each with the Deployment that may stand behind it. */
const SCALED: readonly ResourceType<Scaled>[] = [
  replicationControllers as ResourceType<Scaled>,
  deployments as ResourceType<Scaled>,
  replicaSets as ResourceType<Scaled>,
  statefulSets as ResourceType<Scaled>,
];

/** Reads scales from `client`'s informers, which are made at once so that nothing waits later. */
export function scaleReader(client: Client): (guarded: readonly Pod[]) => ExpectedScale {
  const informers = SCALED.map((type) => ({ type, informer: client.informer(type) }));

  function find(owner: OwnerReference, namespace: string | undefined): Scaled | undefined {
    const kind = informers.find(({ type }) => type.kind === owner.kind && apiVersionOf(type) === owner.apiVersion);
    const found = kind?.informer.get(owner.name, namespace);
    if (found === undefined || found.metadata.uid !== owner.uid) return undefined;
    const parent = controllerOf(found);
    // The ReplicaSets of one Deployment share its number.
    return parent?.kind === deployments.kind ? (find(parent, namespace) ?? found) : found;
  }

  return (guarded) => {
    const unmanaged: Pod[] = [];
    const scales = new Map<string, number>();
    for (const pod of guarded) {
      const owner = controllerOf(pod);
      if (owner === undefined) {
        unmanaged.push(pod);
        continue;
      }
      const found = find(owner, pod.metadata.namespace);
      if (found === undefined) {
        throw new Error(`found no controllers for ${pods.resource.slice(0, -1)} ${goQuote(pod.metadata.name)}`);
      }
      scales.set(found.metadata.uid, found.spec.replicas ?? 1);
    }
    return { scale: [...scales.values()].reduce((sum, scale) => sum + scale, 0), unmanaged };
  };
}
