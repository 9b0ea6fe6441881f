/** Upstream's resourcequota-controller: counts what is used, where admission alone cannot: after deletions and changes. */
import type { Pod } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, pods, resourceQuotas, services } from '../../api/resources.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import type { Component } from '../../base/component.ts';
import type { InformerEvent } from '../../client/informer.ts';
import { type ControllerContext, createController, type KeyQueue, type Watch, watch } from '../controller.ts';
import type { MetadataSource } from '../garbage-collector/metadata-source.ts';
import { isPodTerminal } from '../pod-state.ts';
import { quotaStatus } from './usage.ts';

const WORKERS = 2;
/** Changes that come together are counted together; those on their way in have arrived by then. */
const BATCH_MS = 500;
/** Everything is counted again this often: what admission let in and then failed is found so. */
const RESYNC_MS = 5 * 60_000;

export interface ResourceQuotaOptions {
  /** Tells of the deletions of all kinds of objects. */
  readonly metadata: MetadataSource;
  listNamespacedResources(): Promise<readonly ResourceType[]> | readonly ResourceType[];
}

export function createResourceQuotaController(context: ControllerContext, options: ResourceQuotaOptions): Component {
  const { client, clock } = context;
  const quotaInformer = client.informer(resourceQuotas);

  function addQuotasOf(namespace: string | undefined, queue: KeyQueue): void {
    if (namespace === undefined) return;
    for (const quota of quotaInformer.list(namespace)) queue.addAfter(objectKey(quota), BATCH_MS);
  }

  const deletions: Watch = {
    synced: () => options.metadata.synced(),
    start: (queue) =>
      options.metadata.subscribe(({ type, object }) => {
        if (type === 'deleted') addQuotasOf(object.metadata.namespace, queue);
      }),
  };

  /** What is created is counted by admission; that only puts it right. */
  function recount<T extends KubeObject>(type: ResourceType<T>, matters: (old: T, object: T) => boolean): Watch {
    return watch(client.informer(type), (event: InformerEvent<T>, queue) => {
      if (event.type === 'modified' && !matters(event.old, event.object)) return;
      addQuotasOf(event.object.metadata.namespace, queue);
    });
  }

  const specChanges = (old: { spec: unknown }, object: { spec: unknown }): boolean => !deepEqual(old.spec, object.spec);
  const podChanges = (old: Pod, pod: Pod): boolean =>
    isPodTerminal(old) !== isPodTerminal(pod) || !deepEqual(old.spec.containers, pod.spec.containers);

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const quota = quotaInformer.get(name, namespace);
    if (quota === undefined) return undefined;
    const types = await options.listNamespacedResources();
    const list = (type: ResourceType): readonly KubeObject[] => client.informer(type).list(namespace);
    const status = quotaStatus(quota, types, list, clock.now());
    if (!deepEqual(status, quota.status)) {
      await client.update(resourceQuotas, { ...quota, status }, { subresource: 'status' });
    }
    return RESYNC_MS;
  }

  return createController(
    {
      name: 'resourcequota-controller',
      workers: WORKERS,
      watches: [
        watch(quotaInformer, (event, queue) => {
          if (event.type === 'modified' && deepEqual(event.old.spec, event.object.spec)) return;
          if (event.type !== 'deleted') queue.add(objectKey(event.object));
        }),
        deletions,
        recount(pods, podChanges),
        recount(services, specChanges),
        recount(persistentVolumeClaims, specChanges),
      ],
      reconcile,
    },
    context,
  );
}
