/** Adoption and release: which objects belong to a controlling object, by reference and by selector. */
import type { KubeObject, ResourceType } from '../api/types.ts';
import { apiVersionOf } from '../api/types.ts';
import type { LabelMatcher } from '../apimachinery/labels.ts';
import { controllerOf, controllerReference, isBeingDeleted } from '../apimachinery/object-meta.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import type { Client } from '../client/client.ts';

export interface Claim<T> {
  /** Controlled by the owner and selected by it. */
  readonly owned: readonly T[];
  /** Selected, controlled by nobody: to be taken over. */
  readonly adopt: readonly T[];
  /** Controlled by the owner but no longer selected: to be let go. */
  readonly release: readonly T[];
}

/** Sorts `candidates` by what upstream's ControllerRefManager would do with them. */
export function planClaim<T extends KubeObject>(
  owner: KubeObject,
  selector: LabelMatcher,
  candidates: Iterable<T>,
): Claim<T> {
  const owned: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  const ownerGoes = isBeingDeleted(owner);
  for (const object of candidates) {
    const reference = controllerOf(object);
    const selected = selector.matches(object.metadata.labels);
    if (reference !== undefined) {
      if (reference.uid !== owner.metadata.uid) continue;
      if (selected) owned.push(object);
      else if (!ownerGoes) release.push(object);
    } else if (selected && !ownerGoes && !isBeingDeleted(object)) {
      adopt.push(object);
    }
  }
  return { owned, adopt, release };
}

/**
 * Carries out a plan of `planClaim`; resolves to everything that belongs to `owner` afterwards. Before the first
 * adoption the owner is read live: one that is gone must not gather children.
 */
export async function claim<Owner extends KubeObject, T extends KubeObject>(
  client: Client,
  owner: { readonly type: ResourceType<Owner>; readonly object: Owner },
  children: {
    readonly type: ResourceType<T>;
    readonly candidates: Iterable<T>;
    readonly selector: LabelMatcher;
    /** Put on what is adopted, taken off what is released. */
    readonly finalizer?: string;
  },
): Promise<readonly T[]> {
  const plan = planClaim(owner.object, children.selector, children.candidates);
  if (plan.adopt.length > 0) await assertAlive(client, owner.type, owner.object);
  const reference = controllerReference(owner.object, {
    apiVersion: apiVersionOf(owner.type),
    kind: owner.type.kind,
  });
  const setOwners = (object: T, ownerReferences: readonly object[], owned: boolean): Promise<T | undefined> => {
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const { finalizer } = children;
    const others = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
    const finalizers = finalizer !== undefined && { finalizers: owned ? [...others, finalizer] : others };
    const body = { metadata: { uid, resourceVersion, ownerReferences, ...finalizers } };
    const options = namespace === undefined ? {} : { namespace };
    return orGone(client.patch(children.type, name, { type: 'merge', body }, options));
  };
  const adopted = await Promise.all(
    plan.adopt.map((object) => setOwners(object, [...(object.metadata.ownerReferences ?? []), reference], true)),
  );
  await Promise.all(
    plan.release.map((object) =>
      setOwners(
        object,
        (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.object.metadata.uid),
        false,
      ),
    ),
  );
  return [...plan.owned, ...adopted.filter((object) => object !== undefined)];
}

/** The result, or undefined when the object has gone in the meantime. */
async function orGone<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isStatusReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function assertAlive<T extends KubeObject>(client: Client, type: ResourceType<T>, owner: T): Promise<void> {
  const { name, namespace, uid } = owner.metadata;
  const live = await client.get(type, name, namespace);
  if (live.metadata.uid !== uid) {
    throw new Error(`original ${type.kind} ${namespace}/${name} is gone: got uid ${live.metadata.uid}, wanted ${uid}`);
  }
  if (isBeingDeleted(live)) {
    throw new Error(`${namespace}/${name} has just been deleted at ${live.metadata.deletionTimestamp}`);
  }
}
