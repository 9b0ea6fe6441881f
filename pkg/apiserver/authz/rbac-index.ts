import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../api/generated/rbac-v1.ts';
import type { KubeObject } from '../../api/types.ts';
import type { InformerEvent } from '../../client/informer.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import { serviceAccountUsername } from '../authn/user.ts';

/** A resource's objects with their changes; every Informer is one. */
export interface ChangeSource<T extends KubeObject> {
  subscribe(handler: (event: InformerEvent<T>) => void): () => void;
}

export interface RBACSources {
  readonly clusterRoles: ChangeSource<ClusterRole>;
  readonly clusterRoleBindings: ChangeSource<ClusterRoleBinding>;
  readonly roles: ChangeSource<Role>;
  readonly roleBindings: ChangeSource<RoleBinding>;
}

/** One subject of one binding. */
export interface Grant {
  readonly binding: ClusterRoleBinding | RoleBinding;
  readonly subject: Subject;
  /** Empty for a ClusterRoleBinding. */
  readonly namespace: string;
}

function userKey(name: string): string {
  return `u:${name}`;
}

function groupKey(name: string): string {
  return `g:${name}`;
}

function subjectKey(subject: Subject, bindingNamespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
      return userKey(subject.name);
    case 'Group':
      return groupKey(subject.name);
    case 'ServiceAccount': {
      const namespace = subject.namespace || bindingNamespace;
      return namespace === '' ? undefined : userKey(serviceAccountUsername(namespace, subject.name));
    }
    default:
      return undefined;
  }
}

/** Grants by scope (a namespace, or empty for the cluster) and then by subject. */
class GrantIndex {
  readonly #scopes = new Map<string, Map<string, Grant[]>>();

  add(binding: ClusterRoleBinding | RoleBinding, namespace: string): void {
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace);
      if (key === undefined) continue;
      const scope = this.#scopes.get(namespace) ?? new Map<string, Grant[]>();
      this.#scopes.set(namespace, scope);
      scope.set(key, [...(scope.get(key) ?? []), { binding, subject, namespace }]);
    }
  }

  remove(binding: ClusterRoleBinding | RoleBinding, namespace: string): void {
    const scope = this.#scopes.get(namespace);
    if (scope === undefined) return;
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace);
      if (key === undefined) continue;
      const left = (scope.get(key) ?? []).filter((grant) => grant.binding.metadata.name !== binding.metadata.name);
      if (left.length === 0) scope.delete(key);
      else scope.set(key, left);
    }
    if (scope.size === 0) this.#scopes.delete(namespace);
  }

  *of(user: UserInfo, namespace: string): Generator<Grant> {
    const scope = this.#scopes.get(namespace);
    if (scope === undefined) return;
    yield* scope.get(userKey(user.name)) ?? [];
    for (const group of user.groups) yield* scope.get(groupKey(group)) ?? [];
  }
}

/**
 * All roles and bindings, arranged so that a request looks only at the bindings of its own user and groups. Changes are
 * taken over one by one; a binding refers to its role by name, so a changed role needs no bookkeeping.
 */
export class RBACIndex {
  readonly #clusterRoles = new Map<string, ClusterRole>();
  readonly #roles = new Map<string, Role>();
  readonly #grants = new GrantIndex();
  readonly #unsubscribe: (() => void)[];

  constructor(sources: RBACSources) {
    this.#unsubscribe = [
      sources.clusterRoles.subscribe(({ type, object }) => {
        if (type === 'deleted') this.#clusterRoles.delete(object.metadata.name);
        else this.#clusterRoles.set(object.metadata.name, object);
      }),
      sources.roles.subscribe(({ type, object }) => {
        const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
        if (type === 'deleted') this.#roles.delete(key);
        else this.#roles.set(key, object);
      }),
      sources.clusterRoleBindings.subscribe((event) => this.#bindingChanged(event, '')),
      sources.roleBindings.subscribe((event) => this.#bindingChanged(event, event.object.metadata.namespace ?? '')),
    ];
  }

  /** Ends the subscriptions. */
  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** The rules of the role that a binding in `namespace` refers to; undefined when there is no such role. */
  rulesOf(
    roleRef: { readonly kind: string; readonly name: string },
    namespace: string,
  ): readonly PolicyRule[] | undefined {
    const role =
      roleRef.kind === 'ClusterRole'
        ? this.#clusterRoles.get(roleRef.name)
        : this.#roles.get(`${namespace}/${roleRef.name}`);
    return role === undefined ? undefined : (role.rules ?? []);
  }

  /** What counts for `user` in `namespace`: bindings of the cluster, then those of the namespace (when not empty). */
  *grantsOf(user: UserInfo, namespace: string): Generator<Grant> {
    yield* this.#grants.of(user, '');
    if (namespace !== '') yield* this.#grants.of(user, namespace);
  }

  #bindingChanged(event: InformerEvent<ClusterRoleBinding> | InformerEvent<RoleBinding>, namespace: string): void {
    if (event.type === 'modified') this.#grants.remove(event.old, namespace);
    if (event.type === 'deleted') this.#grants.remove(event.object, namespace);
    else this.#grants.add(event.object, namespace);
  }
}
