import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Clock } from '../../base/clock.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import { ClientCertificateAuthenticator, type TlsPeer } from './client-certificate.ts';
import type { TokenResult } from './service-account-token.ts';
import { ANONYMOUS, asAuthenticated } from './user.ts';

/** Something that knows a kind of bearer token; undefined for a token that is not of its kind. */
export interface TokenAuthenticator {
  authenticate(token: string, audiences?: readonly string[]): TokenResult | undefined;
}

/** The credentials of one request. */
export interface Credentials {
  readonly peer?: TlsPeer;
  /** The `Authorization` header. */
  readonly authorization?: string | undefined;
  /** The `Sec-WebSocket-Protocol` header: browsers cannot set `Authorization` on a websocket. */
  readonly webSocketProtocol?: string | undefined;
}

export interface AuthenticatorOptions {
  readonly tokens: readonly TokenAuthenticator[];
  /** Whether requests without credentials go on as `system:anonymous` (and are then authorized like any other). */
  readonly anonymousAuth: boolean;
  readonly clock: Clock;
}

const WEBSOCKET_TOKEN_PREFIX = 'base64url.bearer.authorization.k8s.io.';
const INVALID_TOKEN = 'invalid bearer token';

function bearerToken(credentials: Credentials): string | undefined {
  const header = credentials.authorization?.trim();
  if (header !== undefined) {
    const [scheme = '', token = ''] = header.split(' ', 2);
    if (scheme.toLowerCase() === 'bearer' && token !== '') return token;
  }
  const protocol = credentials.webSocketProtocol
    ?.split(',')
    .map((one) => one.trim())
    .find((one) => one.startsWith(WEBSOCKET_TOKEN_PREFIX));
  if (protocol === undefined) return undefined;
  const token = Buffer.from(protocol.slice(WEBSOCKET_TOKEN_PREFIX.length), 'base64url').toString('utf8');
  return token === '' ? undefined : token;
}

/**
 * The chain of upstream's API server: client certificate, then bearer token, then anonymous. Credentials that are
 * offered and do not count make the request fail; it never falls back to anonymous.
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #certificates = new ClientCertificateAuthenticator();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** The user of a request. Throws StatusError 401. */
  authenticate(credentials: Credentials): UserInfo {
    let refused = false;
    if (credentials.peer !== undefined) {
      const user = this.#certificates.authenticate(credentials.peer, this.#options.clock.now());
      if (user === 'invalid') refused = true;
      else if (user !== undefined) return asAuthenticated(user);
    }
    const token = bearerToken(credentials);
    if (token !== undefined) {
      const result = this.#token(token);
      if (result !== undefined && 'user' in result) return asAuthenticated(result.user);
      refused = true;
    }
    if (refused || !this.#options.anonymousAuth) throw statusErrors.unauthorized();
    return ANONYMOUS;
  }

  /**
   * What a TokenReview answers: the token's user and the audiences of `audiences` (by default the API server's) it is
   * for, or upstream's text of why it is refused.
   */
  review(token: string, audiences: readonly string[] | undefined): TokenResult {
    const result = this.#token(token, audiences);
    if (result === undefined) return { error: INVALID_TOKEN };
    if ('error' in result) return { error: `[${INVALID_TOKEN}, ${result.error}]` };
    return { user: asAuthenticated(result.user), audiences: result.audiences };
  }

  #token(token: string, audiences?: readonly string[]): TokenResult | undefined {
    let refusal: TokenResult | undefined;
    for (const authenticator of this.#options.tokens) {
      const result = authenticator.authenticate(token, audiences);
      if (result !== undefined && 'user' in result) return result;
      refusal ??= result;
    }
    return refusal;
  }
}
