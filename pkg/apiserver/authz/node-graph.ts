import type { PersistentVolume, Pod } from '../../api/generated/core-v1.ts';
import { podReferences } from './pod-references.ts';
import type { ChangeSource } from './rbac-index.ts';

const MIRROR_POD = 'kubernetes.io/config.mirror';

export interface NodeGraphSources {
  readonly pods: ChangeSource<Pod>;
  readonly persistentVolumes: ChangeSource<PersistentVolume>;
}

function objectKey(resource: string, namespace: string, name: string): string {
  return `${resource}/${namespace}/${name}`;
}

/** Counts per key, so that a key lives as long as anything that refers to it. */
class Counter {
  readonly #counts = new Map<string, number>();

  change(key: string, by: 1 | -1): void {
    const count = (this.#counts.get(key) ?? 0) + by;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }

  has(key: string): boolean {
    return this.#counts.has(key);
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }
}

interface BoundPod {
  readonly node: string;
  readonly keys: readonly string[];
}

interface ClaimedVolume {
  /** Key of the claim it is bound to. */
  readonly claim: string;
  readonly secrets: readonly string[];
}

/**
 * Which objects belong to the Pods of a node: upstream's Node authorizer graph, held as plain sets of keys. It follows
 * Pods and PersistentVolumes as they change.
 */
export class NodeGraph {
  readonly #nodes = new Map<string, Counter>();
  readonly #pods = new Map<string, BoundPod>();
  readonly #volumes = new Map<string, ClaimedVolume>();
  readonly #unsubscribe: (() => void)[];

  constructor(sources: NodeGraphSources) {
    this.#unsubscribe = [
      sources.pods.subscribe((event) => {
        if (event.type === 'modified' && !podChanged(event.old, event.object)) return;
        this.#setPod(event.object, event.type === 'deleted');
      }),
      sources.persistentVolumes.subscribe(({ type, object }) => {
        const claim = object.spec?.claimRef;
        const { name } = object.metadata;
        if (type === 'deleted' || !claim?.name) this.#volumes.delete(name);
        else {
          this.#volumes.set(name, {
            claim: objectKey('persistentvolumeclaims', claim.namespace ?? '', claim.name),
            secrets: volumeSecrets(object),
          });
        }
      }),
    ];
  }

  /** Ends the subscriptions. */
  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** Whether a Pod bound to `node` is the object, refers to it, or uses a volume that refers to it. */
  belongs(node: string, resource: string, namespace: string, name: string): boolean {
    const keys = this.#nodes.get(node);
    if (keys === undefined) return false;
    if (resource === 'persistentvolumes') {
      const volume = this.#volumes.get(name);
      return volume !== undefined && keys.has(volume.claim);
    }
    const key = objectKey(resource, namespace, name);
    if (keys.has(key)) return true;
    if (resource !== 'secrets') return false;
    return [...this.#volumes.values()].some(({ claim, secrets }) => secrets.includes(key) && keys.has(claim));
  }

  #setPod(pod: Pod, deleted: boolean): void {
    const { name, namespace = '' } = pod.metadata;
    const podKey = objectKey('pods', namespace, name);
    const before = this.#pods.get(podKey);
    if (before !== undefined) this.#count(before, -1);
    const node = pod.spec.nodeName;
    if (deleted || !node) {
      this.#pods.delete(podKey);
      return;
    }
    const keys = new Set([podKey]);
    // A static Pod is its node's own doing: it must not be a way to read what the API server holds.
    if (pod.metadata.annotations?.[MIRROR_POD] === undefined) {
      for (const reference of podReferences(pod)) keys.add(objectKey(reference.resource, namespace, reference.name));
    }
    const bound = { node, keys: [...keys] };
    this.#pods.set(podKey, bound);
    this.#count(bound, 1);
  }

  #count({ node, keys }: BoundPod, by: 1 | -1): void {
    const counter = this.#nodes.get(node) ?? new Counter();
    for (const key of keys) counter.change(key, by);
    if (counter.isEmpty) this.#nodes.delete(node);
    else this.#nodes.set(node, counter);
  }
}

/** Of a Pod's references only these can change: most events of Pods are about their status. */
function podChanged(old: Pod, current: Pod): boolean {
  return (
    old.spec.nodeName !== current.spec.nodeName ||
    (old.spec.ephemeralContainers?.length ?? 0) !== (current.spec.ephemeralContainers?.length ?? 0) ||
    (old.status?.resourceClaimStatuses?.length ?? 0) !== (current.status?.resourceClaimStatuses?.length ?? 0)
  );
}

function volumeSecrets(volume: PersistentVolume): string[] {
  const { spec } = volume;
  const claimNamespace = spec?.claimRef?.namespace ?? '';
  const references = [
    spec?.csi?.nodePublishSecretRef,
    spec?.csi?.nodeStageSecretRef,
    spec?.csi?.nodeExpandSecretRef,
    spec?.cephfs?.secretRef,
    spec?.cinder?.secretRef,
    spec?.flexVolume?.secretRef,
    spec?.iscsi?.secretRef,
    spec?.rbd?.secretRef,
    spec?.scaleIO?.secretRef,
    spec?.storageos?.secretRef,
    spec?.azureFile && { name: spec.azureFile.secretName, namespace: spec.azureFile.secretNamespace },
  ];
  return references.flatMap((one) =>
    one?.name ? [objectKey('secrets', one.namespace || claimNamespace, one.name)] : [],
  );
}
