/** Who owns whom: the graph of owner references, and what each change in it asks to be looked at. No I/O. */
import type { OwnerReference } from '../../api/generated/meta-v1.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { hasFinalizer, isBeingDeleted } from '../../apimachinery/object-meta.ts';
import type { MetadataEvent } from './metadata-source.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** An object that owns or is owned; all others are not kept. */
export interface GraphNode {
  readonly uid: string;
  apiVersion: string;
  kind: string;
  name: string;
  /** Of an owner only known by reference: its dependent's, which is a guess until the owner itself is seen. */
  namespace: string;
  /** Undefined until the object itself is seen. */
  resource: ResourceType | undefined;
  owners: readonly OwnerReference[];
  readonly dependents: Set<GraphNode>;
  beingDeleted: boolean;
  /** Being deleted in the foreground: it goes when its blocking dependents have gone. */
  deletingDependents: boolean;
  orphaning: boolean;
}

/** What has to be looked at after a change. */
export interface Attention {
  /** Objects that may have to be deleted, freed of an owner or verified, by uid. */
  readonly check: Set<string>;
  /** Objects whose dependents are to be orphaned, by uid. */
  readonly orphan: Set<string>;
  /** Dependents that name an owner of another namespace. */
  readonly misplaced: { readonly dependent: GraphNode; readonly owner: OwnerReference }[];
}

export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Takes in a change of an object. */
  observe(event: MetadataEvent): Attention {
    if (event.type === 'deleted') return this.forget(event.object.metadata.uid);
    const attention = newAttention();
    const { object, resource } = event;
    const { uid, ownerReferences = [] } = object.metadata;
    const waits = isBeingDeleted(object) && (hasFinalizer(object, FOREGROUND) || hasFinalizer(object, ORPHAN));
    let node = this.#nodes.get(uid);
    if (node === undefined) {
      if (ownerReferences.length === 0 && !waits) return attention;
      node = this.#add(
        uid,
        { apiVersion: apiVersionOf(resource), kind: resource.kind, name: object.metadata.name },
        '',
      );
    }
    if (node.resource === undefined) this.#identify(node, object, resource, attention);
    this.#relink(node, ownerReferences, attention);
    this.#transition(node, object, attention);
    this.#prune(node);
    return attention;
  }

  /** The object `uid` does not exist (any more): its dependents have to be looked at. */
  forget(uid: string): Attention {
    const attention = newAttention();
    const node = this.#nodes.get(uid);
    if (node === undefined) return attention;
    this.#relink(node, [], attention);
    this.#nodes.delete(uid);
    for (const dependent of node.dependents) attention.check.add(dependent.uid);
    return attention;
  }

  /**
   * Takes in that `owner` of `dependent` was found alive: what a misplaced reference made believe (that the owner is
   * not there) may have cut the two apart.
   */
  confirm(dependent: GraphNode, owner: KubeObject, resource: ResourceType): void {
    if (!this.#nodes.has(dependent.uid)) return;
    const { uid, name } = owner.metadata;
    let node = this.#nodes.get(uid);
    if (node === undefined) {
      node = this.#add(uid, { apiVersion: apiVersionOf(resource), kind: resource.kind, name }, '');
      this.#identify(node, owner, resource, newAttention());
    }
    node.dependents.add(dependent);
  }

  #add(uid: string, known: Pick<GraphNode, 'apiVersion' | 'kind' | 'name'>, namespace: string): GraphNode {
    const node: GraphNode = {
      uid,
      apiVersion: known.apiVersion,
      kind: known.kind,
      name: known.name,
      namespace,
      resource: undefined,
      owners: [],
      dependents: new Set(),
      beingDeleted: false,
      deletingDependents: false,
      orphaning: false,
    };
    this.#nodes.set(uid, node);
    return node;
  }

  /** Replaces what references said of a node by what it is. */
  #identify(node: GraphNode, object: KubeObject, resource: ResourceType, attention: Attention): void {
    node.resource = resource;
    node.apiVersion = apiVersionOf(resource);
    node.kind = resource.kind;
    node.name = object.metadata.name;
    node.namespace = object.metadata.namespace ?? '';
    for (const dependent of node.dependents) noteMisplaced(dependent, node, attention);
  }

  #relink(node: GraphNode, owners: readonly OwnerReference[], attention: Attention): void {
    const before = new Map(node.owners.map((owner) => [owner.uid, owner]));
    node.owners = owners;
    for (const owner of owners) {
      const old = before.get(owner.uid);
      before.delete(owner.uid);
      if (old === undefined) this.#link(node, owner, attention);
      else if (old.blockOwnerDeletion === true && owner.blockOwnerDeletion !== true) this.#unblocked(owner, attention);
    }
    for (const owner of before.values()) {
      this.#unblocked(owner, attention);
      const ownerNode = this.#nodes.get(owner.uid);
      if (ownerNode === undefined) continue;
      ownerNode.dependents.delete(node);
      this.#prune(ownerNode);
    }
  }

  #link(node: GraphNode, owner: OwnerReference, attention: Attention): void {
    let ownerNode = this.#nodes.get(owner.uid);
    if (ownerNode === undefined) {
      ownerNode = this.#add(owner.uid, owner, node.namespace);
      // It may own nothing else and so have been passed over, or not exist at all.
      attention.check.add(owner.uid);
    }
    ownerNode.dependents.add(node);
    if (ownerNode.resource !== undefined) noteMisplaced(node, ownerNode, attention);
  }

  /** A dependent no longer holds up `owner`'s foreground deletion. */
  #unblocked(owner: OwnerReference, attention: Attention): void {
    if (this.#nodes.get(owner.uid)?.deletingDependents) attention.check.add(owner.uid);
  }

  #transition(node: GraphNode, object: KubeObject, attention: Attention): void {
    node.beingDeleted = isBeingDeleted(object);
    if (!node.beingDeleted) return;
    if (hasFinalizer(object, FOREGROUND)) {
      if (!node.deletingDependents) for (const dependent of node.dependents) attention.check.add(dependent.uid);
      node.deletingDependents = true;
      attention.check.add(node.uid);
    }
    if (hasFinalizer(object, ORPHAN) && !node.orphaning) {
      node.orphaning = true;
      attention.orphan.add(node.uid);
    }
  }

  #prune(node: GraphNode): void {
    const waits = node.deletingDependents || node.orphaning;
    if (node.owners.length === 0 && node.dependents.size === 0 && !waits) this.#nodes.delete(node.uid);
  }
}

function newAttention(): Attention {
  return { check: new Set(), orphan: new Set(), misplaced: [] };
}

/** References do not reach into other namespaces; only owners of the cluster's scope may have children everywhere. */
function noteMisplaced(dependent: GraphNode, owner: GraphNode, attention: Attention): void {
  if (!owner.resource?.namespaced || owner.namespace === dependent.namespace) return;
  const reference = dependent.owners.find(({ uid }) => uid === owner.uid);
  if (reference === undefined) return;
  attention.misplaced.push({ dependent, owner: reference });
  attention.check.add(dependent.uid);
}

/** The dependents that hold up `node`'s foreground deletion. */
export function blockingDependents(node: GraphNode): GraphNode[] {
  return [...node.dependents].filter(({ owners }) =>
    owners.some(({ uid, blockOwnerDeletion }) => uid === node.uid && blockOwnerDeletion === true),
  );
}
