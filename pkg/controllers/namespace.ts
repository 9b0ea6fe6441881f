/** Upstream's namespace-controller: empties a deleted namespace, says how far it is, then lets it go. */
import type { Namespace, NamespaceCondition, Pod } from '../api/generated/core-v1.ts';
import { namespaces, pods } from '../api/resources.ts';
import type { KubeObject, ResourceType } from '../api/types.ts';
import { getCondition, setCondition } from '../apimachinery/object-meta.ts';
import { groupResourceText, isStatusReason } from '../apimachinery/status-error.ts';
import { formatTime } from '../apimachinery/time.ts';
import type { Component } from '../base/component.ts';
import { errorText } from '../base/log.ts';
import { type ControllerContext, createController, watch, watchOwn } from './controller.ts';

const WORKERS = 5;
const FINALIZER = 'kubernetes';
/** How long something that has finalizers is given, in seconds. */
const FINALIZER_SECONDS = 15;

export interface NamespaceOptions {
  /** Every resource that is namespaced and can be listed and deleted, custom ones included. */
  listNamespacedResources(): Promise<readonly ResourceType[]> | readonly ResourceType[];
}

/** What is left of a namespace's content after everything was asked to go. */
interface Remains {
  /** Instances left, by resource (`pods.`, `deployments.apps`). */
  readonly resources: Map<string, number>;
  /** Instances that have it, by finalizer. */
  readonly finalizers: Map<string, number>;
  readonly errors: string[];
  /** Seconds after which more should be gone. */
  seconds: number;
}

export function createNamespaceController(context: ControllerContext, options: NamespaceOptions): Component {
  const { client, clock } = context;
  const namespaceInformer = client.informer(namespaces);
  const podInformer = client.informer(pods);

  /** Asks everything of `type` in `namespace` to go and notes what stays for now. */
  async function empty(type: ResourceType, namespace: string, remains: Remains): Promise<void> {
    const name = `${type.resource}.${type.group}`;
    try {
      const before = await client.list(type, { namespace });
      if (before.items.length === 0) return;
      await client.deleteCollection(type, { namespace });
      const { items } = await client.list(type, { namespace });
      if (items.length > 0) remains.resources.set(name, items.length);
      for (const item of items) noteRemaining(item, remains);
    } catch (error) {
      // The resource itself has gone: a CRD deleted meanwhile.
      if (isStatusReason(error, 'NotFound') || isStatusReason(error, 'MethodNotAllowed')) return;
      remains.errors.push(`unexpected error deleting ${groupResourceText(type)}: ${errorText(error)}`);
    }
  }

  async function emptyAll(namespace: string): Promise<Remains> {
    const remains: Remains = { resources: new Map(), finalizers: new Map(), errors: [], seconds: 0 };
    // Pods first: while they run they may still need the rest (Secrets, NetworkPolicies).
    await empty(pods, namespace, remains);
    if (remains.resources.size > 0 || remains.errors.length > 0) return remains;
    const types = await options.listNamespacedResources();
    for (const type of types) if (type.resource !== 'pods' || type.group !== '') await empty(type, namespace, remains);
    return remains;
  }

  async function reconcile(name: string): Promise<number | undefined> {
    const seen = namespaceInformer.get(name);
    if (seen?.metadata.deletionTimestamp === undefined) return undefined;
    let namespace = await live(name);
    if (namespace?.metadata.deletionTimestamp === undefined) return undefined;
    if (!namespace.spec.finalizers?.includes(FINALIZER)) return undefined;
    if (namespace.status.phase !== 'Terminating') {
      const status = { ...namespace.status, phase: 'Terminating' };
      namespace = await client.update(namespaces, { ...namespace, status }, { subresource: 'status' });
    }
    const remains = await emptyAll(name);
    const conditions = deletionConditions(namespace.status.conditions ?? [], remains, formatTime(clock.now()));
    if (conditions !== namespace.status.conditions) {
      const status = { ...namespace.status, conditions: [...conditions] };
      namespace = await client.update(namespaces, { ...namespace, status }, { subresource: 'status' });
    }
    if (remains.errors.length > 0) throw new Error(remains.errors.join('; '));
    if (remains.resources.size > 0) return (remains.seconds / 2 + 1) * 1000;
    const finalizers = namespace.spec.finalizers?.filter((finalizer) => finalizer !== FINALIZER) ?? [];
    await client.update(
      namespaces,
      { ...namespace, spec: { ...namespace.spec, finalizers } },
      { subresource: 'finalize' },
    );
    return undefined;
  }

  async function live(name: string): Promise<Namespace | undefined> {
    try {
      return await client.get(namespaces, name);
    } catch (error) {
      if (isStatusReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  return createController(
    {
      name: 'namespace-controller',
      workers: WORKERS,
      watches: [
        watchOwn(namespaceInformer),
        // The last Pod's end is what most deletions wait for.
        watch(podInformer, ({ type, object: { metadata } }, queue) => {
          const namespace = metadata.namespace ?? '';
          if (type !== 'deleted' || podInformer.list(namespace).length > 0) return;
          if (namespaceInformer.get(namespace)?.metadata.deletionTimestamp !== undefined) queue.add(namespace);
        }),
      ],
      reconcile,
    },
    context,
  );
}

function noteRemaining(item: KubeObject, remains: Remains): void {
  for (const finalizer of item.metadata.finalizers ?? []) {
    remains.finalizers.set(finalizer, (remains.finalizers.get(finalizer) ?? 0) + 1);
    remains.seconds = Math.max(remains.seconds, FINALIZER_SECONDS);
  }
  const grace = (item as Partial<Pod>).spec?.terminationGracePeriodSeconds ?? 0;
  remains.seconds = Math.max(remains.seconds, grace);
}

/** The conditions that tell of `remains`, upstream's texts; the same list when nothing changed. */
export function deletionConditions(
  old: readonly NamespaceCondition[],
  remains: Omit<Remains, 'seconds'>,
  now: string,
): readonly NamespaceCondition[] {
  let conditions = old;
  const tell = (type: string, failed: boolean, reason: string, message: string): void => {
    const status = failed ? 'True' : 'False';
    const known = getCondition(conditions, type);
    if (known?.status === status && known.message === message) return;
    conditions = setCondition(conditions, { type, status, reason, message }, now);
  };
  const list = (counts: ReadonlyMap<string, number>, link: string): string =>
    [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name} ${link} ${count} resource instances`)
      .join(', ');
  tell('NamespaceDeletionDiscoveryFailure', false, 'ResourcesDiscovered', 'All resources successfully discovered');
  tell(
    'NamespaceDeletionGroupVersionParsingFailure',
    false,
    'ParsedGroupVersions',
    'All legacy kube types successfully parsed',
  );
  if (remains.errors.length > 0) {
    const message = `Failed to delete all resource types, ${remains.errors.length} remaining: ${remains.errors.join(', ')}`;
    tell('NamespaceDeletionContentFailure', true, 'ContentDeletionFailed', message);
  } else {
    const message = 'All content successfully deleted, may be waiting on finalization';
    tell('NamespaceDeletionContentFailure', false, 'ContentDeleted', message);
  }
  if (remains.resources.size > 0) {
    const message = `Some resources are remaining: ${list(remains.resources, 'has')}`;
    tell('NamespaceContentRemaining', true, 'SomeResourcesRemain', message);
  } else {
    tell('NamespaceContentRemaining', false, 'ContentRemoved', 'All content successfully removed');
  }
  if (remains.finalizers.size > 0) {
    const message = `Some content in the namespace has finalizers remaining: ${list(remains.finalizers, 'in')}`;
    tell('NamespaceFinalizersRemaining', true, 'SomeFinalizersRemain', message);
  } else {
    const message = 'All content-preserving finalizers finished';
    tell('NamespaceFinalizersRemaining', false, 'ContentHasNoFinalizers', message);
  }
  return conditions;
}
