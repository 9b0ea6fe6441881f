import { z } from 'zod';
import type { TokenAuthenticator } from '../../apiserver/authn/authenticator.ts';
import { keyId, signJwt, unverifiedClaims, verifyJwt } from '../../apiserver/authn/jwt.ts';
import type { TokenResult } from '../../apiserver/authn/service-account-token.ts';
import type { Clock } from '../../base/clock.ts';
import { JOINING_GROUP, joiningUserName } from '../../controllers/certificates/joining.ts';
import type { SigningKey } from '../../pki/signing-key.ts';

const ISSUER = 'kedge/join';
const LIFETIME_SECONDS = 600;

const claimsSchema = z.object({ iss: z.literal(ISSUER), sub: z.string().min(1), exp: z.number() });

/**
 * Short-lived bearer tokens that say: this machine may become that node. Given to a machine that has shown a join token
 * and whose node name is free or its own; any server of the cluster takes them, for they share the signing key.
 */
export class JoiningPasses implements TokenAuthenticator {
  readonly #key: SigningKey;
  readonly #clock: Clock;

  constructor(key: SigningKey, clock: Clock) {
    this.#key = key;
    this.#clock = clock;
  }

  issue(nodeName: string): string {
    const now = Math.floor(this.#clock.now() / 1000);
    const claims = { iss: ISSUER, sub: nodeName, iat: now, exp: now + LIFETIME_SECONDS };
    return signJwt(claims, this.#key.privateKey, keyId(this.#key.publicKey));
  }

  authenticate(token: string): TokenResult | undefined {
    const claims = claimsSchema.safeParse(unverifiedClaims(token));
    if (!claims.success) return undefined;
    const { publicKey } = this.#key;
    if (!verifyJwt(token, new Map([[keyId(publicKey), publicKey]])))
      return { error: 'the pass has no valid signature' };
    if (claims.data.exp * 1000 <= this.#clock.now()) return { error: 'the pass has expired' };
    const user = { name: joiningUserName(claims.data.sub), groups: [JOINING_GROUP] };
    return { user, audiences: [] };
  }
}
