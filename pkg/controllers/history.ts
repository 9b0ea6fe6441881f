/** The history of templates that DaemonSets and StatefulSets keep as ControllerRevisions (k8s.io/kubernetes/pkg/controller/history). */
import type { ControllerRevision } from '../api/generated/apps-v1.ts';
import type { PodTemplateSpec } from '../api/generated/core-v1.ts';
import { controllerRevisions } from '../api/resources.ts';
import { apiVersionOf, type Input, type KubeObject, type ResourceType } from '../api/types.ts';
import { semanticEqual } from '../apimachinery/deep-equal.ts';
import { objectHash } from '../apimachinery/hash.ts';
import { labelMatcher } from '../apimachinery/labels.ts';
import { controllerReference, isBeingDeleted } from '../apimachinery/object-meta.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import type { Client } from '../client/client.ts';
import { claim } from './claim.ts';

type Revision = ControllerRevision;
type Selector = Parameters<typeof labelMatcher>[0];

/** The revisions of one owner, with the one of its present template. */
export interface History {
  /** Of the present template; undefined when it has to be made. */
  readonly current: Revision | undefined;
  /** The others, lowest revision first. */
  readonly old: readonly Revision[];
  /** The number that the present template's revision has to have. */
  readonly revision: number;
}

/** What a revision keeps of its owner: a patch that brings the template back. */
export function templateData(template: PodTemplateSpec): object {
  return { spec: { template: { ...template, $patch: 'replace' } } };
}

/** Sorts `revisions` by whether they hold `data`; a template that came back counts as the newest again. */
export function planHistory(revisions: readonly Revision[], data: object): History {
  const sorted = [...revisions].sort(byRevision);
  const current = sorted.findLast((revision) => semanticEqual(revision.data, data));
  const old = sorted.filter((revision) => revision !== current);
  const newest = old.reduce((most, { revision }) => Math.max(most, revision), 0);
  return { current, old, revision: current === undefined ? newest + 1 : Math.max(current.revision, newest + 1) };
}

function byRevision(a: Revision, b: Revision): number {
  if (a.revision !== b.revision) return a.revision - b.revision;
  const created = (revision: Revision): string => revision.metadata.creationTimestamp ?? '';
  if (created(a) !== created(b)) return created(a) < created(b) ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

/** The oldest of `old` that are more than `limit` and that nothing uses any more. */
export function forgottenRevisions(
  old: readonly Revision[],
  limit: number,
  isLive: (revision: Revision) => boolean,
): Revision[] {
  const unused = old.filter((revision) => !isLive(revision) && !isBeingDeleted(revision));
  return unused.slice(0, Math.max(0, unused.length - limit));
}

/** The template that `revision` keeps; undefined when it keeps none. */
export function templateOf(revision: Revision): PodTemplateSpec | undefined {
  const data = revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined;
  if (data?.spec?.template === undefined) return undefined;
  const { $patch: _, ...template } = data.spec.template;
  return template;
}

/** What a new revision is made of. */
export interface RevisionOrder {
  readonly data: object;
  readonly revision: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  /** The label that carries the hash. */
  readonly hashLabel: string;
  /** Of the owner's status: changes the hash after it met another revision's. */
  readonly collisionCount: number | undefined;
}

/** Raised when the name of a revision is taken by another template; the owner's collisionCount has to grow. */
export class RevisionCollision extends Error {}

/** The writes of one owner's history. */
export class RevisionControl<Owner extends KubeObject> {
  readonly #client: Client;
  readonly #type: ResourceType<Owner>;

  constructor(client: Client, type: ResourceType<Owner>) {
    this.#client = client;
    this.#type = type;
  }

  /** All revisions of `owner`, orphans adopted. */
  list(owner: Owner, selector: Selector): Promise<readonly Revision[]> {
    const candidates = this.#client.informer(controllerRevisions).list(owner.metadata.namespace);
    return claim(
      this.#client,
      { type: this.#type, object: owner },
      { type: controllerRevisions, candidates, selector: labelMatcher(selector) },
    );
  }

  /** The revision of the present template, made or renumbered if need be. Throws RevisionCollision. */
  async ensure(owner: Owner, history: History, order: Omit<RevisionOrder, 'revision'>): Promise<Revision> {
    const { current, revision } = history;
    if (current === undefined) return this.#create(owner, { ...order, revision });
    if (current.revision === revision) return current;
    return this.#client.update(controllerRevisions, { ...current, revision });
  }

  async #create(owner: Owner, order: RevisionOrder): Promise<Revision> {
    const { name, namespace } = owner.metadata;
    const hash = objectHash(order.data, order.collisionCount);
    const reference = { apiVersion: apiVersionOf(this.#type), kind: this.#type.kind };
    const wanted = {
      metadata: {
        name: `${name.slice(0, LONGEST_PREFIX)}-${hash}`,
        namespace,
        labels: { ...order.labels, [order.hashLabel]: hash },
        ...(order.annotations && { annotations: order.annotations }),
        ownerReferences: [controllerReference(owner, reference)],
      },
      data: order.data,
      revision: order.revision,
    };
    try {
      return await this.#client.create(controllerRevisions, wanted as Input<Revision>);
    } catch (error) {
      if (!isStatusReason(error, 'AlreadyExists')) throw error;
    }
    const taken = await this.#client.get(controllerRevisions, wanted.metadata.name, namespace);
    if (semanticEqual(taken.data, order.data)) return taken;
    throw new RevisionCollision(`the name of controller revision ${wanted.metadata.name} is taken, trying another`);
  }

  async remove(revisions: readonly Revision[]): Promise<void> {
    for (const { metadata } of revisions) {
      try {
        await this.#client.delete(controllerRevisions, metadata.name, { namespace: metadata.namespace ?? '' });
      } catch (error) {
        if (!isStatusReason(error, 'NotFound')) throw error;
      }
    }
  }
}

/** With the hash, the name stays below the 253 letters a name may have. */
const LONGEST_PREFIX = 223;
