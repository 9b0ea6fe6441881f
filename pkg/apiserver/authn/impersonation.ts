import type { UserInfo } from '../../registry/user-info.ts';
import type { Authorizer, ResourceAttributes } from '../authz/attributes.ts';
import { requireAuthorized } from '../authz/authorizer.ts';
import {
  ALL_AUTHENTICATED,
  ALL_UNAUTHENTICATED,
  ANONYMOUS_USER,
  parseServiceAccountUsername,
  serviceAccountGroups,
} from './user.ts';

/** What a request's `Impersonate-…` headers ask for; keys of `extra` in lower case. */
export interface Impersonation {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: ReadonlyMap<string, readonly string[]>;
}

/** Impersonation headers that make no sense; upstream answers with status 500 and this text, not with a Status. */
export class ImpersonationHeaderError extends Error {
  override readonly name = 'ImpersonationHeaderError';
}

const AUTHENTICATION_GROUP = 'authentication.k8s.io';
const EXTRA_PREFIX = 'impersonate-extra-';

function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    // Not percent-encoded after all: the key is meant as it stands, as upstream takes it.
    return key;
  }
}

/** The references upstream prints when a user is missing, each in its struct notation. */
function referencesText({ uid, groups, extra }: Impersonation): string {
  const references = groups.map((group) => `{Group  ${group}    }`);
  for (const [key, values] of extra) {
    for (const value of values) references.push(`{UserExtra  ${value}  ${AUTHENTICATION_GROUP}/v1  ${key}}`);
  }
  if (uid !== '') references.push(`{UID  ${uid}  ${AUTHENTICATION_GROUP}/v1  }`);
  return `[${references.join(' ')}]`;
}

/**
 * Reads the impersonation headers from `rawHeaders` (names and values in turn, as Node gives them: a group's name may
 * contain a comma). Undefined when there are none. Throws ImpersonationHeaderError when something but no user is asked.
 */
export function parseImpersonation(rawHeaders: readonly string[]): Impersonation | undefined {
  let user = '';
  let uid = '';
  const groups: string[] = [];
  const extra = new Map<string, string[]>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (!name.startsWith('impersonate-')) continue;
    const value = rawHeaders[index + 1] ?? '';
    if (name === 'impersonate-user') user ||= value;
    else if (name === 'impersonate-uid') uid ||= value;
    else if (name === 'impersonate-group') groups.push(value);
    else if (name.startsWith(EXTRA_PREFIX)) {
      const key = unescapeKey(name.slice(EXTRA_PREFIX.length)).toLowerCase();
      extra.set(key, [...(extra.get(key) ?? []), value]);
    }
  }
  if (user === '' && uid === '' && groups.length === 0 && extra.size === 0) return undefined;
  const impersonation = { user, uid, groups, extra };
  if (user === '') {
    throw new ImpersonationHeaderError(`requested ${referencesText(impersonation)} without impersonating a user`);
  }
  return impersonation;
}

/** Everything `requester` must be allowed to impersonate, in upstream's order. */
function impersonationChecks(requester: UserInfo, { user, uid, groups, extra }: Impersonation): ResourceAttributes[] {
  const check = (resource: string, name: string, more: Partial<ResourceAttributes> = {}): ResourceAttributes => ({
    user: requester,
    verb: 'impersonate',
    apiGroup: '',
    apiVersion: 'v1',
    resource,
    subresource: '',
    namespace: '',
    name,
    ...more,
  });
  const account = parseServiceAccountUsername(user);
  const checks = [
    account === undefined
      ? check('users', user)
      : check('serviceaccounts', account.name, { namespace: account.namespace }),
    ...groups.map((group) => check('groups', group)),
  ];
  for (const [key, values] of extra) {
    for (const value of values) {
      checks.push(check('userextras', value, { apiGroup: AUTHENTICATION_GROUP, subresource: key }));
    }
  }
  if (uid !== '') checks.push(check('uids', uid, { apiGroup: AUTHENTICATION_GROUP }));
  return checks;
}

function groupsOf(impersonation: Impersonation): string[] {
  const account = parseServiceAccountUsername(impersonation.user);
  const groups = [...impersonation.groups];
  if (groups.length === 0 && account !== undefined) groups.push(...serviceAccountGroups(account.namespace));
  if (impersonation.user === ANONYMOUS_USER) {
    if (!groups.includes(ALL_UNAUTHENTICATED)) groups.push(ALL_UNAUTHENTICATED);
  } else if (!groups.includes(ALL_AUTHENTICATED) && !groups.includes(ALL_UNAUTHENTICATED)) {
    groups.push(ALL_AUTHENTICATED);
  }
  return groups;
}

/**
 * The user to go on as when `requester` impersonates. Throws StatusError 403 unless `authorizer` allows the requester to
 * impersonate the user, each group, each extra value and the uid.
 */
export function impersonate(requester: UserInfo, impersonation: Impersonation, authorizer: Authorizer): UserInfo {
  for (const check of impersonationChecks(requester, impersonation)) requireAuthorized(authorizer, check);
  const { user, uid, extra } = impersonation;
  return {
    name: user,
    ...(uid !== '' && { uid }),
    groups: groupsOf(impersonation),
    ...(extra.size > 0 && { extra: Object.fromEntries(extra) }),
  };
}
