import { schemaOf } from '../api/facts.ts';
import type { TokenRequest } from '../api/generated/authentication-v1.ts';
import {
  bindings,
  componentStatuses,
  localSubjectAccessReviews,
  pods,
  selfSubjectAccessReviews,
  selfSubjectReviews,
  selfSubjectRulesReviews,
  subjectAccessReviews,
  tokenReviews,
} from '../api/resources.ts';
import type { KubeObject, ResourceType } from '../api/types.ts';
import { type ActionCall, type Descriptor, describe } from '../registry/descriptor.ts';
import type { Authenticator } from './authn/authenticator.ts';
import { DEFAULT_EXPIRATION_SECONDS, type TokenIssuer } from './authn/token-issuer.ts';
import { requestToken, type TokenObjects } from './authn/token-request.ts';
import { reviewSelfSubject, reviewToken } from './authn/token-review.ts';
import {
  reviewLocalSubjectAccess,
  reviewSelfSubjectAccess,
  reviewSelfSubjectRules,
  reviewSubjectAccess,
} from './authz/access-review.ts';
import type { Authorization } from './authz/authorization.ts';

export interface VirtualResourceOptions {
  readonly authorization: Authorization;
  readonly authenticator: Authenticator;
}

/** Resources that are answered instead of stored: reviews, bindings, component statuses. */
export function virtualResources({ authorization, authenticator }: VirtualResourceOptions): Descriptor[] {
  const { authorizer, rbac } = authorization;
  const review = (type: ResourceType, answer: (call: ActionCall) => object | Promise<object>): Descriptor =>
    describe(type, { virtual: async (call) => answer(call) });
  return [
    review(tokenReviews, (call) => reviewToken(call, authenticator)),
    review(selfSubjectReviews, (call) => reviewSelfSubject(call)),
    review(subjectAccessReviews, (call) => reviewSubjectAccess(call, authorizer)),
    review(localSubjectAccessReviews, (call) => reviewLocalSubjectAccess(call, authorizer)),
    review(selfSubjectAccessReviews, (call) => reviewSelfSubjectAccess(call, authorizer)),
    review(selfSubjectRulesReviews, (call) => reviewSelfSubjectRules(call, rbac)),
    review(bindings, bindThroughCollection),
    // Upstream asks the health ports of processes kedge does not have: there is nothing to list.
    describe(componentStatuses, {
      shortNames: ['cs'],
      verbs: ['get', 'list'],
      deprecation: 'v1 ComponentStatus is deprecated in v1.19+',
    }),
  ];
}

/** POST of a Binding to the collection is the same as to the Pod it names. */
async function bindThroughCollection(call: ActionCall): Promise<object> {
  const descriptor = call.registry.describe(pods);
  const action = descriptor.subresources['binding'];
  if (action?.type !== 'action') throw new Error('pods have no binding subresource');
  const { metadata } = call.body as unknown as KubeObject;
  return action.run({ ...call, name: metadata.name });
}

/** The descriptor of service accounts with its `token` subresource. */
export function withTokenSubresource(descriptor: Descriptor, issuer: TokenIssuer, objects: TokenObjects): Descriptor {
  return {
    ...descriptor,
    subresources: {
      ...descriptor.subresources,
      token: {
        type: 'action',
        verbs: ['create'],
        group: 'authentication.k8s.io',
        version: 'v1',
        kind: 'TokenRequest',
        schema: schemaOf('authentication.v1.TokenRequest'),
        defaults(body) {
          const { spec } = body as unknown as TokenRequest;
          spec.expirationSeconds ??= DEFAULT_EXPIRATION_SECONDS;
        },
        run: async (call) => requestToken(call, issuer, objects),
      },
    },
  };
}
