/** Upstream's garbage-collector-controller: objects whose owners have gone go too; finalizers for the other ways. */
import type { OwnerReference } from '../../api/generated/meta-v1.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { hasFinalizer } from '../../apimachinery/object-meta.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import type { DeleteOptions } from '../../client/client.ts';
import { type ControllerContext, createController, type KeyQueue } from '../controller.ts';
import { type Attention, blockingDependents, FOREGROUND, type GraphNode, ORPHAN, OwnerGraph } from './graph.ts';
import type { MetadataSource } from './metadata-source.ts';

const WORKERS = 20;
const MOST_ABSENT = 500;
/** Until an owner of a kind that nobody serves is asked for again; its CRD may come back. */
const UNKNOWN_KIND_MS = 5 * 60_000;

interface Classified {
  readonly solid: OwnerReference[];
  /** The owner does not exist. */
  readonly dangling: OwnerReference[];
  /** The owner waits, in its foreground deletion, for this object to go. */
  readonly waiting: OwnerReference[];
}

export function createGarbageCollector(context: ControllerContext, source: MetadataSource): Component {
  const { client, recorder } = context;
  const graph = new OwnerGraph();
  /** Owners known not to exist, `uid namespace`; saves asking once per dependent. The oldest are forgotten. */
  const absent = new Set<string>();
  let queue: KeyQueue | undefined;

  function attend({ check, orphan, misplaced }: Attention): void {
    for (const uid of check) queue?.add(`check ${uid}`);
    for (const uid of orphan) queue?.add(`orphan ${uid}`);
    for (const { dependent, owner } of misplaced) {
      const identity = `[${owner.apiVersion}/${owner.kind}, namespace: ${dependent.namespace}, name: ${owner.name}, uid: ${owner.uid}]`;
      const message = `ownerRef ${identity} does not exist in namespace "${dependent.namespace}"`;
      const { apiVersion, kind, name, uid, namespace } = dependent;
      const about = { apiVersion, kind, name, uid, ...(namespace !== '' && { namespace }) };
      recorder.event(about, 'Warning', 'OwnerRefInvalidNamespace', message);
    }
  }

  function noteAbsent(uid: string, namespace: string): void {
    absent.add(`${uid} ${namespace}`);
    const [oldest] = absent;
    if (absent.size > MOST_ABSENT && oldest !== undefined) absent.delete(oldest);
  }

  /** The object as it is now; undefined when it is gone or another has taken its name. */
  async function live(
    resource: ResourceType,
    name: string,
    namespace: string,
    uid: string,
  ): Promise<KubeObject | undefined> {
    try {
      const object = await client.get(resource, name, resource.namespaced ? namespace : undefined);
      return object.metadata.uid === uid ? object : undefined;
    } catch (error) {
      if (isStatusReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async function latestOf(node: GraphNode, resource: ResourceType): Promise<KubeObject | undefined> {
    // A cluster-scoped object cannot have a namespaced owner: there is none such to be found.
    const findable = node.namespace !== '' || !resource.namespaced;
    const latest = findable ? await live(resource, node.name, node.namespace, node.uid) : undefined;
    if (latest === undefined) {
      noteAbsent(node.uid, resource.namespaced ? node.namespace : '');
      attend(graph.forget(node.uid));
    }
    return latest;
  }

  async function check(uid: string): Promise<number | undefined> {
    const node = graph.get(uid);
    if (node === undefined || (node.beingDeleted && !node.deletingDependents)) return undefined;
    const resource = node.resource ?? source.resourceFor(node.apiVersion, node.kind);
    if (resource === undefined) return UNKNOWN_KIND_MS;
    const latest = await latestOf(node, resource);
    if (latest === undefined) return undefined;
    if (node.resource === undefined) attend(graph.observe({ type: 'modified', resource, object: latest }));
    if (node.deletingDependents) {
      await finishForeground(node, resource, latest);
      return undefined;
    }
    const references = latest.metadata.ownerReferences ?? [];
    if (references.length === 0) return undefined;
    const classified = await classify(node, references);
    if (classified === undefined) return UNKNOWN_KIND_MS;
    const { solid, dangling, waiting } = classified;
    if (solid.length > 0) {
      const gone = new Set([...dangling, ...waiting]);
      if (gone.size > 0)
        await setOwners(
          resource,
          latest,
          references.filter((reference) => !gone.has(reference)),
        );
    } else if (waiting.length > 0 && node.dependents.size > 0) {
      // A circle would wait for itself for ever: from here on nobody waits for this object.
      if ([...node.dependents].some(({ deletingDependents }) => deletingDependents)) {
        await setOwners(
          resource,
          latest,
          references.map((reference) => ({ ...reference, blockOwnerDeletion: false })),
        );
      }
      await remove(resource, latest, 'Foreground', false);
    } else {
      const policy = hasFinalizer(latest, ORPHAN)
        ? 'Orphan'
        : hasFinalizer(latest, FOREGROUND)
          ? 'Foreground'
          : 'Background';
      await remove(resource, latest, policy, true);
    }
    return undefined;
  }

  /** Sorts `references` by the state of their owners; undefined when the kind of one is not known. */
  async function classify(node: GraphNode, references: readonly OwnerReference[]): Promise<Classified | undefined> {
    const classified: Classified = { solid: [], dangling: [], waiting: [] };
    for (const reference of references) {
      const resource = source.resourceFor(reference.apiVersion, reference.kind);
      const { uid } = reference;
      if (absent.has(`${uid} `) || absent.has(`${uid} ${node.namespace}`)) {
        classified.dangling.push(reference);
        continue;
      }
      if (resource === undefined) return undefined;
      if (resource.namespaced && node.namespace === '') {
        // Cannot be looked for; upstream lets such an object be.
        classified.solid.push(reference);
        continue;
      }
      const namespace = resource.namespaced ? node.namespace : '';
      const owner = await live(resource, reference.name, namespace, uid);
      if (owner === undefined) {
        noteAbsent(uid, namespace);
        classified.dangling.push(reference);
        continue;
      }
      graph.confirm(node, owner, resource);
      if (owner.metadata.deletionTimestamp !== undefined && hasFinalizer(owner, FOREGROUND)) {
        classified.waiting.push(reference);
      } else {
        classified.solid.push(reference);
      }
    }
    return classified;
  }

  async function finishForeground(node: GraphNode, resource: ResourceType, latest: KubeObject): Promise<void> {
    const blocking = blockingDependents(node);
    if (blocking.length === 0) {
      await removeFinalizer(resource, latest, FOREGROUND);
      return;
    }
    for (const { deletingDependents, uid } of blocking) if (!deletingDependents) queue?.add(`check ${uid}`);
  }

  async function orphan(uid: string): Promise<void> {
    const node = graph.get(uid);
    const resource = node?.resource;
    if (node === undefined || resource === undefined) return;
    await Promise.all(
      [...node.dependents].map(async (dependent) => {
        const type = dependent.resource;
        const latest = type && (await live(type, dependent.name, dependent.namespace, dependent.uid));
        if (latest === undefined) return;
        const owners = latest.metadata.ownerReferences ?? [];
        await setOwners(
          type as ResourceType,
          latest,
          owners.filter((owner) => owner.uid !== uid),
        );
      }),
    );
    const latest = await latestOf(node, resource);
    if (latest !== undefined) await removeFinalizer(resource, latest, ORPHAN);
  }

  /** Deletes what was seen: not a successor of the same name and, with `unchanged`, not an object with other owners. */
  async function remove(
    resource: ResourceType,
    { metadata }: KubeObject,
    propagationPolicy: NonNullable<DeleteOptions['propagationPolicy']>,
    unchanged: boolean,
  ): Promise<void> {
    const { name, namespace, uid, resourceVersion } = metadata;
    const preconditions = unchanged ? { uid, resourceVersion } : { uid };
    await unlessGone(
      client.delete(resource, name, { ...(namespace && { namespace }), propagationPolicy, preconditions }),
    );
  }

  function setOwners(resource: ResourceType, object: KubeObject, owners: readonly OwnerReference[]): Promise<void> {
    return patchMetadata(resource, object, { ownerReferences: owners.length === 0 ? null : owners });
  }

  async function removeFinalizer(resource: ResourceType, object: KubeObject, finalizer: string): Promise<void> {
    const finalizers = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
    if (finalizers.length === object.metadata.finalizers?.length) return;
    await patchMetadata(resource, object, { finalizers: finalizers.length === 0 ? null : finalizers });
  }

  function patchMetadata(resource: ResourceType, { metadata }: KubeObject, change: object): Promise<void> {
    const { name, namespace, uid, resourceVersion } = metadata;
    const body = { metadata: { uid, resourceVersion, ...change } };
    return unlessGone(
      client.patch(resource, name, { type: 'merge', body }, namespace === undefined ? {} : { namespace }),
    );
  }

  return createController(
    {
      name: 'garbage-collector-controller',
      workers: WORKERS,
      watches: [
        {
          synced: () => source.synced(),
          start(keys) {
            queue = keys;
            return source.subscribe((event) => attend(graph.observe(event)));
          },
        },
      ],
      async reconcile(key) {
        const [task, uid = ''] = key.split(' ');
        if (task === 'check') return check(uid);
        await orphan(uid);
        return undefined;
      },
    },
    context,
  );
}

async function unlessGone(action: Promise<unknown>): Promise<void> {
  try {
    await action;
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) throw error;
  }
}
