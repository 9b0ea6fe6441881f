import type { KubeObject } from '../../api/types.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { type Status, statusErrors } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { DeleteRequest } from './options.ts';

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

/**
 * What a DELETE makes of an object: `remove` takes it out of the store (`last` is what it looked like at the end),
 * `mark` keeps it, marked, until finalizers or its grace period are over, `nothing`: an earlier DELETE already did as much.
 */
export type DeletionPlan =
  | { readonly type: 'remove' | 'mark'; readonly last: KubeObject }
  | { readonly type: 'nothing' };

/** Upstream's BeforeDelete and deletionFinalizersForGarbageCollection; `draft` is a copy of `live` to work on. */
export function planDeletion(
  descriptor: Descriptor,
  live: KubeObject,
  draft: KubeObject,
  request: DeleteRequest,
  now: number,
): DeletionPlan {
  const meta = draft.metadata;
  const finalizers = deletionFinalizers(descriptor, live, request);
  if (finalizers.length > 0) meta.finalizers = finalizers;
  else delete meta.finalizers;
  if (descriptor.deletionGrace !== undefined) {
    const grace = descriptor.deletionGrace(live, request.gracePeriodSeconds);
    return planGraceful(descriptor, live, draft, grace, request.gracePeriodSeconds, now);
  }
  const isMarked = meta.deletionTimestamp !== undefined;
  if (!isMarked) {
    descriptor.prepareForDelete?.(draft, formatTime(now));
    if (finalizers.length === 0 && descriptor.holdsDeletion?.(draft) !== true) return { type: 'remove', last: draft };
    meta.deletionTimestamp = formatTime(now);
    if (descriptor.holdsDeletion === undefined) meta.deletionGracePeriodSeconds = 0;
    if (meta.generation !== undefined && descriptor.holdsDeletion === undefined) meta.generation += 1;
    return { type: 'mark', last: draft };
  }
  if (isFinished(descriptor, draft)) return { type: 'remove', last: draft };
  return semanticEqual(live.metadata.finalizers ?? [], finalizers)
    ? { type: 'nothing' }
    : { type: 'mark', last: draft };
}

/** Kinds with a grace period: a second DELETE may shorten it, never prolong it. */
function planGraceful(
  descriptor: Descriptor,
  live: KubeObject,
  draft: KubeObject,
  grace: number,
  requested: number | undefined,
  now: number,
): DeletionPlan {
  const meta = draft.metadata;
  let changed = !semanticEqual(live.metadata.finalizers ?? [], meta.finalizers ?? []);
  if (meta.deletionTimestamp === undefined) {
    meta.deletionTimestamp = formatTime(now + grace * 1000);
    meta.deletionGracePeriodSeconds = grace;
    if (meta.generation !== undefined) meta.generation += 1;
    descriptor.prepareForDelete?.(draft, formatTime(now));
    changed = true;
  } else {
    const before = meta.deletionGracePeriodSeconds ?? 0;
    if (requested !== undefined && grace < before) {
      meta.deletionTimestamp = formatTime(Date.parse(meta.deletionTimestamp) - (before - grace) * 1000);
      meta.deletionGracePeriodSeconds = grace;
      changed = true;
    }
  }
  if (isFinished(descriptor, draft)) return { type: 'remove', last: draft };
  return changed ? { type: 'mark', last: draft } : { type: 'nothing' };
}

/** A marked object with neither finalizers nor a running grace period has no reason to stay. */
export function isFinished(descriptor: Descriptor, object: KubeObject): boolean {
  const meta = object.metadata;
  if (meta.deletionTimestamp === undefined || (meta.finalizers ?? []).length > 0) return false;
  return (meta.deletionGracePeriodSeconds ?? 0) === 0 && descriptor.holdsDeletion?.(object) !== true;
}

/** The Status a DELETE answers with when the object is gone. */
export function deletedStatus(descriptor: Descriptor, object: KubeObject): Status {
  const { group, resource } = descriptor.type;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name,
      ...(group === '' ? {} : { group }),
      kind: resource,
      uid: object.metadata.uid,
    },
  };
}

/** Throws Conflict when the object is not the one the DELETE is about. */
export function checkPreconditions(descriptor: Descriptor, live: KubeObject, request: DeleteRequest): void {
  const { uid, resourceVersion } = request.preconditions ?? {};
  const name = live.metadata.name;
  // Upstream names the kind here, where other conflicts name the resource.
  const kind = { group: descriptor.type.group, resource: descriptor.type.kind };
  if (uid !== undefined && uid !== live.metadata.uid) {
    const text = `the UID in the precondition (${uid}) does not match the UID in record (${live.metadata.uid}). The object might have been deleted and then recreated`;
    throw statusErrors.conflict(kind, name, text);
  }
  if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
    const text = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${live.metadata.resourceVersion}). The object might have been modified`;
    throw statusErrors.conflict(kind, name, text);
  }
}

/** The finalizers after a DELETE asked for this propagation policy (upstream: deletionFinalizersForGarbageCollection). */
function deletionFinalizers(descriptor: Descriptor, live: KubeObject, request: DeleteRequest): string[] {
  const had = live.metadata.finalizers ?? [];
  const policy = request.propagationPolicy;
  const others = had.filter((name) => name !== ORPHAN && name !== FOREGROUND);
  if (policy === 'Orphan') return [...others, ORPHAN];
  if (policy === 'Foreground') return [...others, FOREGROUND];
  if (policy === 'Background') return others;
  if (had.includes(ORPHAN) || had.includes(FOREGROUND)) return [...had];
  return descriptor.orphansByDefault ? [...others, ORPHAN] : others;
}
