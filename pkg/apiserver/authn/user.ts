/** The well-known names of users and groups. */
import type { UserInfo } from '../../registry/user-info.ts';

export const ALL_AUTHENTICATED = 'system:authenticated';
export const ALL_UNAUTHENTICATED = 'system:unauthenticated';
export const ANONYMOUS_USER = 'system:anonymous';
/** Members may do everything: the RBAC authorizer is not asked. */
export const SYSTEM_MASTERS = 'system:masters';
export const SYSTEM_NODES = 'system:nodes';
export const ALL_SERVICE_ACCOUNTS = 'system:serviceaccounts';

/** Names the credential in `extra`, so that audit and reviews can tell two credentials of one user apart. */
export const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id';

const NODE_PREFIX = 'system:node:';
const SERVICE_ACCOUNT_PREFIX = 'system:serviceaccount:';

/** The server's own components call the API in process under this identity. */
export const LOOPBACK_USER: UserInfo = { name: 'system:apiserver', groups: [SYSTEM_MASTERS, ALL_AUTHENTICATED] };

export const ANONYMOUS: UserInfo = { name: ANONYMOUS_USER, groups: [ALL_UNAUTHENTICATED] };

/** `user` as a member of `system:authenticated`, which every request with valid credentials is. */
export function asAuthenticated(user: UserInfo): UserInfo {
  if (user.groups.includes(ALL_AUTHENTICATED) || user.groups.includes(ALL_UNAUTHENTICATED)) return user;
  return { ...user, groups: [...user.groups, ALL_AUTHENTICATED] };
}

export function serviceAccountUsername(namespace: string, name: string): string {
  return `${SERVICE_ACCOUNT_PREFIX}${namespace}:${name}`;
}

export function serviceAccountGroups(namespace: string): string[] {
  return [ALL_SERVICE_ACCOUNTS, `${ALL_SERVICE_ACCOUNTS}:${namespace}`];
}

/** The service account a user name stands for; undefined for any other user. */
export function parseServiceAccountUsername(username: string): { namespace: string; name: string } | undefined {
  if (!username.startsWith(SERVICE_ACCOUNT_PREFIX)) return undefined;
  const [namespace, name, ...rest] = username.slice(SERVICE_ACCOUNT_PREFIX.length).split(':');
  if (namespace === undefined || namespace === '' || name === undefined || name === '' || rest.length > 0) {
    return undefined;
  }
  return { namespace, name };
}

/** The identity of the kubelet on `nodeName`. */
export function nodeUser(nodeName: string): UserInfo {
  return { name: `${NODE_PREFIX}${nodeName}`, groups: [SYSTEM_NODES, ALL_AUTHENTICATED] };
}

/** The node whose kubelet `user` is; undefined for any other user. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(NODE_PREFIX) || !user.groups.includes(SYSTEM_NODES)) return undefined;
  const name = user.name.slice(NODE_PREFIX.length);
  return name === '' ? undefined : name;
}
