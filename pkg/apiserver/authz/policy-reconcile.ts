import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding, Subject } from '../../api/generated/rbac-v1.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../../api/resources.ts';
import type { Input, KubeObject, ResourceType } from '../../api/types.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { AUTOUPDATE, type BootstrapPolicy, bootstrapPolicy } from './bootstrap-policy.ts';
import { uncoveredRules } from './rules.ts';

/** Roles and bindings as they are stored. */
export interface StoredPolicy {
  readonly clusterRoles: readonly ClusterRole[];
  readonly clusterRoleBindings: readonly ClusterRoleBinding[];
  readonly roles: readonly Role[];
  readonly roleBindings: readonly RoleBinding[];
}

export interface PolicyAction {
  /** `recreate`: a binding's role cannot be changed, it has to be deleted first. */
  readonly action: 'create' | 'update' | 'recreate';
  readonly type: ResourceType;
  readonly object: Input<KubeObject>;
}

type StringMap = Readonly<Record<string, string>> | undefined;
type AnyRole = ClusterRole | Role;
type AnyBinding = ClusterRoleBinding | RoleBinding;

function keyOf({ metadata }: Input<KubeObject>): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}

function isProtected(object: KubeObject): boolean {
  return object.metadata.annotations?.[AUTOUPDATE] === 'false';
}

function lacksAny(present: StringMap, wanted: Input<Record<string, string>> | undefined): boolean {
  return Object.keys(wanted ?? {}).some((key) => present?.[key] === undefined);
}

/** `stored` with the labels and annotations of `wanted` that it lacks; what is there is never changed. */
function mergedMetadata(stored: KubeObject, wanted: Input<KubeObject>): { changed: boolean; metadata: object } {
  const { labels, annotations } = stored.metadata;
  const changed = lacksAny(labels, wanted.metadata?.labels) || lacksAny(annotations, wanted.metadata?.annotations);
  return {
    changed,
    metadata: {
      ...stored.metadata,
      labels: { ...wanted.metadata?.labels, ...labels },
      annotations: { ...wanted.metadata?.annotations, ...annotations },
    },
  };
}

function selectorsOf(role: Input<AnyRole>): Input<object>[] {
  return 'aggregationRule' in role ? (role.aggregationRule?.clusterRoleSelectors ?? []) : [];
}

function planRole(type: ResourceType, stored: AnyRole | undefined, wanted: Input<AnyRole>): PolicyAction[] {
  if (stored === undefined) return [{ action: 'create', type, object: wanted }];
  if (isProtected(stored)) return [];
  const { changed, metadata } = mergedMetadata(stored, wanted);
  const wantedRules = (wanted as AnyRole).rules ?? [];
  const missingRules = uncoveredRules(stored.rules ?? [], wantedRules);
  const have = selectorsOf(stored).map((one) => JSON.stringify(one));
  const missingSelectors = selectorsOf(wanted).filter((one) => !have.includes(JSON.stringify(one)));
  if (!changed && missingRules.length === 0 && missingSelectors.length === 0) return [];
  return [
    {
      action: 'update',
      type,
      object: {
        ...stored,
        metadata,
        ...(missingRules.length > 0 && { rules: [...(stored.rules ?? []), ...missingRules] }),
        ...(missingSelectors.length > 0 && {
          aggregationRule: { clusterRoleSelectors: [...selectorsOf(stored), ...missingSelectors] },
        }),
      } as Input<KubeObject>,
    },
  ];
}

function sameSubject(a: Subject, b: Subject): boolean {
  return a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');
}

function planBinding(type: ResourceType, stored: AnyBinding | undefined, wanted: Input<AnyBinding>): PolicyAction[] {
  if (stored === undefined) return [{ action: 'create', type, object: wanted }];
  if (isProtected(stored)) return [];
  const { roleRef } = wanted;
  if (stored.roleRef.kind !== roleRef?.kind || stored.roleRef.name !== roleRef.name) {
    return [{ action: 'recreate', type, object: wanted }];
  }
  const { changed, metadata } = mergedMetadata(stored, wanted);
  const have = stored.subjects ?? [];
  const missing = ((wanted as AnyBinding).subjects ?? []).filter(
    (one) => !have.some((other) => sameSubject(one, other)),
  );
  if (!changed && missing.length === 0) return [];
  const subjects = missing.length > 0 ? { subjects: [...have, ...missing] } : {};
  return [{ action: 'update', type, object: { ...stored, metadata, ...subjects } as Input<KubeObject> }];
}

function planAll<T extends KubeObject>(
  type: ResourceType<T>,
  stored: readonly T[],
  wanted: readonly Input<T>[],
  plan: (type: ResourceType, stored: T | undefined, wanted: Input<T>) => PolicyAction[],
): PolicyAction[] {
  const byKey = new Map(stored.map((object) => [keyOf(object as Input<KubeObject>), object]));
  return wanted.flatMap((object) => plan(type, byKey.get(keyOf(object as Input<KubeObject>)), object));
}

/**
 * What has to be written so that `stored` grants all of `policy`, as upstream's reconciler does it at every start: what
 * is missing is added, what an administrator has added stays, objects annotated `autoupdate: "false"` are left alone.
 */
export function planBootstrapPolicy(stored: StoredPolicy, policy: BootstrapPolicy): PolicyAction[] {
  return [
    ...planAll(clusterRoles, stored.clusterRoles, policy.clusterRoles, planRole),
    ...planAll(clusterRoleBindings, stored.clusterRoleBindings, policy.clusterRoleBindings, planBinding),
    ...planAll(roles, stored.roles, policy.roles, planRole),
    ...planAll(roleBindings, stored.roleBindings, policy.roleBindings, planBinding),
  ];
}

async function readPolicy(client: Client): Promise<StoredPolicy> {
  const [clusterRoleList, clusterRoleBindingList, roleList, roleBindingList] = await Promise.all([
    client.list(clusterRoles),
    client.list(clusterRoleBindings),
    client.list(roles),
    client.list(roleBindings),
  ]);
  return {
    clusterRoles: clusterRoleList.items,
    clusterRoleBindings: clusterRoleBindingList.items,
    roles: roleList.items,
    roleBindings: roleBindingList.items,
  };
}

async function act(client: Client, { action, type, object }: PolicyAction): Promise<void> {
  const { name = '', namespace } = object.metadata ?? {};
  if (action === 'update') {
    await client.update(type, object);
    return;
  }
  if (action === 'recreate') await client.delete(type, name, namespace === undefined ? {} : { namespace });
  await client.create(type, object);
}

const ATTEMPTS = 3;

/**
 * Brings the default roles and bindings into being; all writes are under way at once, so that they share one commit.
 * The namespaces kube-system and kube-public must exist. Another server may be doing the same: what it was faster with is
 * looked at again, a few times.
 */
export async function ensureBootstrapPolicy(client: Client, log: Logger): Promise<void> {
  let last: unknown;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const plan = planBootstrapPolicy(await readPolicy(client), bootstrapPolicy());
    const results = await Promise.allSettled(plan.map((action) => act(client, action)));
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    const serious = failures.find((error) => !isRace(error));
    if (serious !== undefined) throw serious;
    if (failures.length === 0) {
      if (plan.length > 0) log.info('default roles and bindings written', { objects: plan.length });
      return;
    }
    last = failures[0];
  }
  throw new Error(`the default roles and bindings could not be written in ${ATTEMPTS} attempts: ${errorText(last)}`);
}

function isRace(error: unknown): boolean {
  return ['AlreadyExists', 'Conflict', 'NotFound'].some((reason) => isStatusReason(error, reason));
}
