import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { SigningKey } from '../../pki/signing-key.ts';
import { jsonWebKeySet, keyId, signJwt } from './jwt.ts';

/**
 * Issuer and audience of service account tokens: upstream's own default. (kubeadm and k3s append the cluster domain.)
 * The first issuer signs, all are accepted.
 */
export const DEFAULT_ISSUER = 'https://kubernetes.default.svc';

/** Seconds; the limits of the TokenRequest API. */
export const MIN_EXPIRATION_SECONDS = 600;
export const MAX_EXPIRATION_SECONDS = 2 ** 32;
export const DEFAULT_EXPIRATION_SECONDS = 3600;
/** The lifetime the ServiceAccount admission plugin asks for in the volume it adds to Pods. */
const PROJECTED_EXPIRATION_SECONDS = 3607;
const EXTENDED_EXPIRATION_SECONDS = 365 * 24 * 60 * 60;

export interface Reference {
  readonly name: string;
  readonly uid: string;
}

export interface TokenIssueRequest {
  readonly namespace: string;
  readonly serviceAccount: Reference;
  /** Empty: the API server's own. */
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  /** The object the token dies with. */
  readonly pod?: Reference;
  readonly secret?: Reference;
  readonly node?: Reference;
}

export interface IssuedToken {
  readonly token: string;
  readonly audiences: readonly string[];
  /** What the client is told, in ms since the epoch; an extended token lives longer. */
  readonly expiration: number;
  /** Names the token in `extra` and in the audit log. */
  readonly id: string;
}

export interface TokenIssuerOptions {
  readonly key: SigningKey;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly clock: Clock;
  /** Let the tokens of Pods live a year, for clients that read theirs only once (`--service-account-extend-token-expiration`). */
  readonly extendExpiration: boolean;
}

/** Issues service account tokens and says where they can be verified; upstream's `serviceaccount.JWTTokenGenerator`. */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;
  readonly #kid: string;

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
    this.#kid = keyId(options.key.publicKey);
  }

  /** A token bound to its service account and, when given, to a Pod (with its node), Secret or Node. */
  issueServiceAccountToken(request: TokenIssueRequest): IssuedToken {
    const { clock, key, issuer } = this.#options;
    const now = Math.floor(clock.now() / 1000);
    const audiences = request.audiences.length > 0 ? request.audiences : this.#options.audiences;
    const extend =
      this.#options.extendExpiration &&
      request.pod !== undefined &&
      request.expirationSeconds === PROJECTED_EXPIRATION_SECONDS &&
      audiences.every((audience) => this.#options.audiences.includes(audience));
    const lifetime = extend ? EXTENDED_EXPIRATION_SECONDS : request.expirationSeconds;
    const { node, pod, secret, serviceAccount } = request;
    const id = randomUUID();
    const claims = {
      aud: audiences,
      exp: now + lifetime,
      iat: now,
      iss: issuer,
      jti: id,
      'kubernetes.io': {
        namespace: request.namespace,
        ...(node && { node }),
        ...(pod && { pod }),
        ...(secret && { secret }),
        serviceaccount: serviceAccount,
        ...(extend && { warnafter: now + request.expirationSeconds }),
      },
      nbf: now,
      sub: `system:serviceaccount:${request.namespace}:${serviceAccount.name}`,
    };
    return {
      token: signJwt(claims, key.privateKey, this.#kid),
      audiences,
      expiration: (now + request.expirationSeconds) * 1000,
      id,
    };
  }

  /** `/.well-known/openid-configuration`; `jwksURI` is the absolute URL of `/openid/v1/jwks`. */
  discoveryDocument(jwksURI: string): object {
    return {
      issuer: this.#options.issuer,
      jwks_uri: jwksURI,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
  }

  /** `/openid/v1/jwks`. */
  keySet(): object {
    return jsonWebKeySet([this.#options.key.publicKey]);
  }
}
