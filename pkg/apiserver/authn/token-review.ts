import type { UserInfo as ReviewedUser, TokenReview } from '../../api/generated/authentication-v1.ts';
import type { JsonObject } from '../../api/schema.ts';
import type { Input } from '../../api/types.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import type { Authenticator } from './authenticator.ts';

function reviewed({ name, uid, groups, extra }: UserInfo): Input<ReviewedUser> {
  return {
    username: name,
    ...(uid !== undefined && { uid }),
    groups: [...groups],
    ...(extra !== undefined && { extra: extra as Record<string, string[]> }),
  };
}

/** Answers a TokenReview: whose token is this? Throws StatusError 400 without a token. */
export function reviewToken({ body }: { readonly body: JsonObject }, authenticator: Authenticator): object {
  const { spec } = body as Input<TokenReview>;
  if (!spec?.token) throw statusErrors.badRequest('token is required for TokenReview in authentication');
  const audiences = spec.audiences === undefined || spec.audiences.length === 0 ? undefined : spec.audiences;
  const result = authenticator.review(spec.token, audiences);
  const status =
    'error' in result
      ? { user: {}, error: result.error }
      : { authenticated: true, user: reviewed(result.user), audiences: result.audiences };
  return { ...body, status };
}

/** Answers a SelfSubjectReview: who am I? (`kubectl auth whoami`). `now` is RFC 3339. */
export function reviewSelfSubject(call: { body: JsonObject; user: UserInfo; now: string }): object {
  const metadata = { ...(call.body['metadata'] as JsonObject | undefined), creationTimestamp: call.now };
  return { ...call.body, metadata, status: { userInfo: reviewed(call.user) } };
}
