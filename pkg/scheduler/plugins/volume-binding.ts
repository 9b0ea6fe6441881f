import type { Node, PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { objectKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { annotationOf, claimsOfPod, VOLUME_ANNOTATIONS } from '../../apimachinery/volume-binding.ts';
import type { Plugin } from '../framework.ts';
import { isPlanDone, planVolumes, podClaims, type StorageView, type VolumePlan } from '../volumes.ts';
import type { PluginContext } from './default-plugins.ts';

/** Upstream's BindTimeoutSeconds. */
const BIND_TIMEOUT_MS = 600_000;

interface Reservation {
  readonly node: Node;
  readonly plan: VolumePlan;
}

/**
 * Sees to it that a Pod's volumes are to be had on its node: bound ones have to be reachable from there; claims that
 * wait for their first consumer are bound, or get a new volume there, before the Pod is bound.
 */
export function volumeBinding({ client, clock }: Pick<PluginContext, 'client' | 'clock'>): Plugin {
  const claims = client.informer(persistentVolumeClaims);
  const volumes = client.informer(persistentVolumes);
  const classes = client.informer(storageClasses);
  const podInformer = client.informer(pods);
  const view: StorageView = {
    claim: (name, namespace) => claims.get(name, namespace),
    volume: (name) => volumes.get(name),
    volumes: () => volumes.list(),
    storageClass: (name) => classes.get(name),
  };
  /** By Pod uid. */
  const reserved = new Map<string, Reservation>();
  const assumed = { volumeOf: new Map<string, string>(), nodeOf: new Map<string, string>() };

  function giveBack({ metadata }: Pod): void {
    const reservation = reserved.get(metadata.uid);
    if (reservation === undefined) return;
    reserved.delete(metadata.uid);
    // A claim may be shared: what another Pod relies on stays.
    assumed.volumeOf.clear();
    assumed.nodeOf.clear();
    for (const other of reserved.values()) assume(other);
  }

  function assume({ node, plan }: Reservation): void {
    for (const { claim, volume } of plan.bind) assumed.volumeOf.set(objectKey(claim), volume.metadata.name);
    for (const claim of plan.provision) assumed.nodeOf.set(objectKey(claim), node.metadata.name);
  }

  /** Writes what was decided; what others have done meanwhile is a conflict. */
  async function carryOut({ node, plan }: Reservation): Promise<void> {
    for (const { claim, volume } of plan.bind) {
      const current = volumes.get(volume.metadata.name) ?? volume;
      if (current.spec.claimRef?.uid === claim.metadata.uid) continue;
      if (current.spec.claimRef?.uid) throw new Error(`volume ${volume.metadata.name} was taken by another claim`);
      const isOwnChoice = current.spec.claimRef === undefined;
      await client.update(persistentVolumes, {
        ...current,
        metadata: isOwnChoice
          ? withAnnotation(current.metadata, VOLUME_ANNOTATIONS.boundByController, 'yes')
          : current.metadata,
        spec: { ...current.spec, claimRef: { ...referenceTo(persistentVolumeClaims, claim) } },
      });
    }
    for (const claim of plan.provision) {
      const current = claims.get(claim.metadata.name, claim.metadata.namespace) ?? claim;
      if (annotationOf(current, VOLUME_ANNOTATIONS.selectedNode) !== undefined) continue;
      const metadata = withAnnotation(current.metadata, VOLUME_ANNOTATIONS.selectedNode, node.metadata.name);
      await client.update(persistentVolumeClaims, { ...current, metadata });
    }
  }

  /** Resolves when the binder and the provisioner have done their parts. */
  function completion(pod: Pod, { node, plan }: Reservation, signal: AbortSignal): Promise<void> {
    const wanted = new Set([...plan.bind.map(({ claim }) => claim), ...plan.provision].map(objectKey));
    const names = new Set(plan.bind.map(({ volume }) => volume.metadata.name));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      try {
        if (isPlanDone(plan, node, view)) resolve();
      } catch (error) {
        reject(error);
      }
    };
    const cancelTimer = clock.setTimeout(() => reject(new Error('context deadline exceeded')), BIND_TIMEOUT_MS);
    const onAbort = (): void => reject(new Error('context canceled'));
    signal.addEventListener('abort', onAbort, { once: true });
    const unsubscribers = [
      claims.subscribe(({ object }) => wanted.has(objectKey(object)) && look()),
      volumes.subscribe(({ object }) => {
        const { claimRef } = object.spec;
        const key = `${claimRef?.namespace ?? ''}/${claimRef?.name ?? ''}`;
        if (names.has(object.metadata.name) || wanted.has(key)) look();
      }),
      podInformer.subscribe(({ type, object }) => {
        if (type === 'deleted' && object.metadata.uid === pod.metadata.uid) {
          reject(statusErrors.notFound(pods, pod.metadata.name));
        }
      }),
    ];
    if (signal.aborted) onAbort();
    look();
    return promise.finally(() => {
      cancelTimer();
      signal.removeEventListener('abort', onAbort);
      for (const unsubscribe of unsubscribers) unsubscribe();
    });
  }

  return {
    name: 'VolumeBinding',
    watches: [persistentVolumeClaims, persistentVolumes, storageClasses],
    preFilter(pod) {
      const found = podClaims(pod, view);
      if (found === undefined) return undefined;
      if (typeof found === 'string') return { resolvable: false, reasons: [found] };
      return {
        check({ node }) {
          if (node === undefined) return undefined;
          const plan = planVolumes(found, node, view, assumed);
          return isPlan(plan) ? undefined : { resolvable: false, reasons: plan };
        },
      };
    },
    reserve(pod, { node }) {
      const found = podClaims(pod, view);
      if (found === undefined || node === undefined) return;
      if (typeof found === 'string') throw new Error(found);
      if (found.delayed.length === 0) return;
      const plan = planVolumes(found, node, view, assumed);
      if (!isPlan(plan)) throw new Error(plan.join(', '));
      const reservation = { node, plan };
      reserved.set(pod.metadata.uid, reservation);
      assume(reservation);
    },
    unreserve: giveBack,
    async preBind(pod, _nodeName, signal) {
      const reservation = reserved.get(pod.metadata.uid);
      if (reservation === undefined) return;
      try {
        await carryOut(reservation);
        await completion(pod, reservation, signal);
      } catch (error) {
        if (podInformer.get(pod.metadata.name, pod.metadata.namespace)?.metadata.uid !== pod.metadata.uid) throw error;
        throw new Error('running PreBind plugin "VolumeBinding": binding volumes', { cause: error });
      }
      giveBack(pod);
    },
    mayFitAfter(event, pod) {
      if (event.resource === 'pod') return false;
      if (event.resource === 'node') return !deepEqual(event.old?.metadata.labels, event.object.metadata.labels);
      if (event.action === 'deleted') return false;
      if (event.type !== persistentVolumeClaims) return true;
      const { namespace, name } = (event.object as PersistentVolumeClaim).metadata;
      return namespace === pod.metadata.namespace && claimsOfPod(pod).some(({ claimName }) => claimName === name);
    },
  };
}

const isPlan = (plan: VolumePlan | readonly string[]): plan is VolumePlan => 'bind' in plan;

function withAnnotation<M extends { annotations?: Record<string, string> | undefined }>(
  metadata: M,
  name: string,
  value: string,
): M {
  return { ...metadata, annotations: { ...metadata.annotations, [name]: value } };
}
