import type { PolicyRule } from '../../api/generated/rbac-v1.ts';
import { aggregateText } from '../../apimachinery/field-error.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import { type Attributes, type Authorizer, type Decision, isResource } from './attributes.ts';
import type { Grant, RBACIndex } from './rbac-index.ts';
import { ruleAllows } from './rules.ts';

/** All rules that hold for a user, and what could not be found out about them. */
export interface ResolvedRules {
  readonly rules: readonly PolicyRule[];
  /** One text for each binding whose role is missing. */
  readonly errors: readonly string[];
}

function missingRoleText({ binding }: Grant): string {
  return `${binding.roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io ${goQuote(binding.roleRef.name)} not found`;
}

function qualified(name: string, namespace: string | undefined): string {
  return goQuote(namespace ? `${name}/${namespace}` : name);
}

function allowedText({ binding, subject, namespace }: Grant): string {
  const bindingKind = namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding';
  const bindingName = qualified(binding.metadata.name, namespace);
  const subjectName =
    subject.kind === 'ServiceAccount' ? qualified(subject.name, subject.namespace || namespace) : goQuote(subject.name);
  return `RBAC: allowed by ${bindingKind} ${bindingName} of ${binding.roleRef.kind} ${goQuote(binding.roleRef.name)} to ${subject.kind} ${subjectName}`;
}

/** Upstream's RBAC authorizer: allows what any rule of any role bound to the user allows, and has no opinion else. */
export class RBACAuthorizer implements Authorizer {
  readonly #index: RBACIndex;

  constructor(index: RBACIndex) {
    this.#index = index;
  }

  authorize(attributes: Attributes): Decision {
    const namespace = isResource(attributes) ? attributes.namespace : '';
    const errors: string[] = [];
    for (const grant of this.#index.grantsOf(attributes.user, namespace)) {
      const rules = this.#index.rulesOf(grant.binding.roleRef, grant.namespace);
      if (rules === undefined) {
        errors.push(missingRoleText(grant));
        continue;
      }
      if (rules.some((rule) => ruleAllows(rule, attributes))) {
        return { decision: 'allow', reason: allowedText(grant) };
      }
    }
    return { decision: 'none', reason: errors.length === 0 ? '' : `RBAC: ${aggregateText(errors)}` };
  }

  /** Every rule that holds for `user` in `namespace` (empty: only those of the whole cluster). */
  rulesFor(user: UserInfo, namespace: string): ResolvedRules {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const grant of this.#index.grantsOf(user, namespace)) {
      const found = this.#index.rulesOf(grant.binding.roleRef, grant.namespace);
      if (found === undefined) errors.push(missingRoleText(grant));
      else rules.push(...found);
    }
    return { rules, errors };
  }
}

/** The status of a SelfSubjectRulesReview; `incomplete` when another authorizer could allow more. */
export function rulesReviewStatus(
  resolved: ResolvedRules,
  incomplete: boolean,
): {
  resourceRules: PolicyRule[];
  nonResourceRules: { verbs: string[]; nonResourceURLs: string[] }[];
  incomplete: boolean;
  evaluationError?: string;
} {
  const resourceRules: PolicyRule[] = [];
  const nonResourceRules: { verbs: string[]; nonResourceURLs: string[] }[] = [];
  for (const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } of resolved.rules) {
    if (resources !== undefined && resources.length > 0) {
      resourceRules.push({
        verbs,
        apiGroups,
        resources,
        ...(resourceNames !== undefined && resourceNames.length > 0 && { resourceNames }),
      });
    }
    if (nonResourceURLs !== undefined && nonResourceURLs.length > 0) nonResourceRules.push({ verbs, nonResourceURLs });
  }
  const evaluationError = resolved.errors.length === 0 ? undefined : aggregateText(resolved.errors);
  return { resourceRules, nonResourceRules, incomplete, ...(evaluationError !== undefined && { evaluationError }) };
}
