import type {
  LocalSubjectAccessReview,
  ResourceAttributes as ReviewedResource,
  SelfSubjectAccessReviewSpec,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  SubjectAccessReviewStatus,
} from '../../api/generated/authorization-v1.ts';
import type { JsonObject } from '../../api/schema.ts';
import type { Input } from '../../api/types.ts';
import { type FieldError, fieldError } from '../../apimachinery/field-error.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import { nodeNameOf } from '../authn/user.ts';
import type { Attributes, Authorizer, FieldRequirement } from './attributes.ts';
import { type RBACAuthorizer, rulesReviewStatus } from './rbac.ts';

/** A review that was posted; what the generic handlers pass on. */
export interface ReviewCall {
  /** Of the URL; empty for reviews of the whole cluster. */
  readonly namespace: string;
  readonly body: JsonObject;
  /** Who asks. */
  readonly user: UserInfo;
}

const GROUP = 'authorization.k8s.io';

function invalid(errors: readonly FieldError[]): Error {
  return statusErrors.invalid({ group: GROUP, kind: '' }, '', errors);
}

type Spec = Input<SubjectAccessReviewSpec> | Input<SelfSubjectAccessReviewSpec>;

function validateAttributes({ resourceAttributes, nonResourceAttributes }: Spec): FieldError[] {
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined) {
    const value = nonResourceAttributes as JsonObject;
    const detail = 'cannot be specified in combination with resourceAttributes';
    return [fieldError.invalid('spec.nonResourceAttributes', value, detail)];
  }
  if (resourceAttributes === undefined && nonResourceAttributes === undefined) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    return [fieldError.invalid('spec.resourceAttributes', null, detail)];
  }
  return [];
}

function validateSubject({ user, groups }: Input<SubjectAccessReviewSpec>): FieldError[] {
  return user || (groups !== undefined && groups.length > 0)
    ? []
    : [fieldError.invalid('spec.user', '', 'at least one of user or group must be specified')];
}

/** Reviews are answers, not objects: they carry no metadata of their own. */
function validateMetadata(
  metadata: Input<SubjectAccessReview['metadata']> | undefined,
  allowed: string[],
): FieldError[] {
  const carries = Object.entries(metadata ?? {}).some(
    ([key, value]) => !['managedFields', 'creationTimestamp', ...allowed].includes(key) && value !== undefined,
  );
  return carries ? [fieldError.invalid('metadata', metadata as JsonObject, 'must be empty')] : [];
}

function fieldRequirements({ fieldSelector }: Input<ReviewedResource>): FieldRequirement[] {
  return (fieldSelector?.requirements ?? []).flatMap(({ key, operator, values }): FieldRequirement[] => {
    const [value, ...more] = values ?? [];
    if (key === undefined || value === undefined || more.length > 0) return [];
    if (operator === 'In') return [{ field: key, operator: '=', value }];
    return operator === 'NotIn' ? [{ field: key, operator: '!=', value }] : [];
  });
}

function attributesOf(user: UserInfo, { resourceAttributes, nonResourceAttributes }: Spec): Attributes {
  if (resourceAttributes === undefined) {
    return { user, verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' };
  }
  const { verb = '', group = '', version = '*', resource = '', subresource = '' } = resourceAttributes;
  const { namespace = '', name = '' } = resourceAttributes;
  const fieldSelector = fieldRequirements(resourceAttributes);
  return {
    user,
    verb,
    apiGroup: group,
    apiVersion: version,
    resource,
    subresource,
    namespace,
    name,
    ...(fieldSelector.length > 0 && { fieldSelector }),
  };
}

function statusOf(authorizer: Authorizer, attributes: Attributes): SubjectAccessReviewStatus {
  const { decision, reason } = authorizer.authorize(attributes);
  return {
    allowed: decision === 'allow',
    ...(decision === 'deny' && { denied: true }),
    ...(reason !== '' && { reason }),
  };
}

function subjectOf({ user = '', groups = [], uid, extra }: Input<SubjectAccessReviewSpec>): UserInfo {
  return {
    name: user,
    groups,
    ...(uid && { uid }),
    ...(extra && { extra: extra as Record<string, string[]> }),
  };
}

/** Answers a SubjectAccessReview: may that user do that? Throws StatusError 422. */
export function reviewSubjectAccess({ body }: ReviewCall, authorizer: Authorizer): object {
  const { metadata, spec = {} } = body as Input<SubjectAccessReview>;
  const errors = [...validateAttributes(spec), ...validateSubject(spec), ...validateMetadata(metadata, [])];
  if (errors.length > 0) throw invalid(errors);
  return { ...body, status: statusOf(authorizer, attributesOf(subjectOf(spec), spec)) };
}

/** Answers a LocalSubjectAccessReview: the same, within one namespace. Throws StatusError 400 or 422. */
export function reviewLocalSubjectAccess({ body, namespace }: ReviewCall, authorizer: Authorizer): object {
  const { metadata, spec = {} } = body as Input<LocalSubjectAccessReview>;
  const errors = [...validateAttributes(spec), ...validateSubject(spec), ...validateMetadata(metadata, ['namespace'])];
  const asked = spec.resourceAttributes?.namespace ?? '';
  if (spec.resourceAttributes !== undefined && asked !== namespace) {
    const detail = 'must match metadata.namespace';
    errors.push(fieldError.invalid('spec.resourceAttributes.namespace', asked, detail));
  }
  if (spec.nonResourceAttributes !== undefined) {
    const detail = 'disallowed on this kind of request';
    errors.push(fieldError.invalid('spec.nonResourceAttributes', spec.nonResourceAttributes as JsonObject, detail));
  }
  if (errors.length > 0) throw invalid(errors);
  const status = statusOf(authorizer, attributesOf(subjectOf(spec), spec));
  return { ...body, metadata: { ...metadata, namespace }, status };
}

/** Answers a SelfSubjectAccessReview: may I do that? (`kubectl auth can-i`). Throws StatusError 422. */
export function reviewSelfSubjectAccess({ body, user }: ReviewCall, authorizer: Authorizer): object {
  const { metadata, spec = {} } = body as Input<SubjectAccessReview>;
  const errors = [...validateAttributes(spec), ...validateMetadata(metadata, [])];
  if (errors.length > 0) throw invalid(errors);
  return { ...body, status: statusOf(authorizer, attributesOf(user, spec)) };
}

/** Answers a SelfSubjectRulesReview: what may I do there? (`kubectl auth can-i --list`). Throws StatusError 400. */
export function reviewSelfSubjectRules({ body, user }: ReviewCall, rbac: RBACAuthorizer): object {
  const { spec } = body as Input<SelfSubjectRulesReview>;
  if (!spec?.namespace) throw statusErrors.badRequest('no namespace on request');
  // What the Node authorizer allows cannot be listed.
  const isNode = nodeNameOf(user) !== undefined;
  const status = rulesReviewStatus(rbac.rulesFor(user, spec.namespace), isNode);
  const evaluationError = 'node authorizer does not support user rule resolution';
  return { ...body, status: isNode ? { ...status, evaluationError } : status };
}
