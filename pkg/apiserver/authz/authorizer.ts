import { type StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import type { AuditRecord } from '../audit/record.ts';
import { SYSTEM_MASTERS } from '../authn/user.ts';
import { type Attributes, type Authorizer, type Decision, isResource, NO_OPINION } from './attributes.ts';

/** Allows everything to members of `system:masters`, whatever the roles say: the way back in after a mistake. */
export const mastersAuthorizer: Authorizer = {
  authorize: ({ user }) => (user.groups.includes(SYSTEM_MASTERS) ? { decision: 'allow', reason: '' } : NO_OPINION),
};

/** Asks one authorizer after the other until one allows or denies; the reasons of those without opinion are joined. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    authorize(attributes): Decision {
      const reasons: string[] = [];
      for (const authorizer of authorizers) {
        const decision = authorizer.authorize(attributes);
        if (decision.decision !== 'none') return decision;
        if (decision.reason !== '') reasons.push(decision.reason);
      }
      return { decision: 'none', reason: reasons.join('\n') };
    },
  };
}

/** The answer to a request that was not allowed: upstream's 403 Status. */
export function forbidden(attributes: Attributes, reason: string): StatusError {
  const { user, verb } = attributes;
  if (!isResource(attributes)) {
    return statusErrors.forbiddenByAuthorizer({ user: user.name, verb, path: attributes.path, reason });
  }
  const { apiGroup, resource, subresource, name, namespace } = attributes;
  return statusErrors.forbiddenByAuthorizer({
    user: user.name,
    verb,
    resource: { group: apiGroup, resource, subresource },
    name,
    namespace,
    reason,
  });
}

/** Throws StatusError 403 unless `authorizer` allows. */
export function requireAuthorized(
  authorizer: Authorizer,
  attributes: Attributes,
  audit?: Pick<AuditRecord, 'annotate'>,
): void {
  const { decision, reason } = authorizer.authorize(attributes);
  audit?.annotate('authorization.k8s.io/decision', decision === 'allow' ? 'allow' : 'forbid');
  audit?.annotate('authorization.k8s.io/reason', reason);
  if (decision !== 'allow') throw forbidden(attributes, reason);
}
