/**
 * The tokens of Secrets of type `kubernetes.io/service-account-token` (upstream's legacy tokens): they are for the API
 * server alone, have no end of their own and live as long as Secret and account do.
 */
import { createHash, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Secret, ServiceAccount } from '../../api/generated/core-v1.ts';
import { secrets, serviceAccounts } from '../../api/resources.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import type { SigningKey } from '../../pki/signing-key.ts';
import { type JwtClaims, keyId, signJwt, unverifiedClaims, verifyJwt } from './jwt.ts';
import { LruCache } from './lru-cache.ts';
import type { TokenResult } from './service-account-token.ts';
import { serviceAccountGroups, serviceAccountUsername } from './user.ts';

const ISSUER = 'kubernetes/serviceaccount';
const NAMESPACE = 'kubernetes.io/serviceaccount/namespace';
const SECRET = 'kubernetes.io/serviceaccount/secret.name';
const NAME = 'kubernetes.io/serviceaccount/service-account.name';
const UID = 'kubernetes.io/serviceaccount/service-account.uid';

const claimsSchema = z.object({
  sub: z.string(),
  [NAMESPACE]: z.string(),
  [SECRET]: z.string(),
  [NAME]: z.string(),
  [UID]: z.string(),
});
type Claims = z.infer<typeof claimsSchema>;

const CACHED_TOKENS = 100;

export interface SecretTokenRequest {
  readonly namespace: string;
  readonly account: { readonly name: string; readonly uid: string };
  /** The name of the Secret that is going to hold the token. */
  readonly secret: string;
}

/** The token that belongs into a Secret. */
export function issueSecretToken(key: SigningKey, { namespace, account, secret }: SecretTokenRequest): string {
  const claims: JwtClaims = {
    iss: ISSUER,
    [NAMESPACE]: namespace,
    [SECRET]: secret,
    [NAME]: account.name,
    [UID]: account.uid,
    sub: serviceAccountUsername(namespace, account.name),
  };
  return signJwt(claims, key.privateKey, keyId(key.publicKey));
}

/** Authenticates by tokens that are in a Secret of the cluster now. */
export class SecretTokenAuthenticator {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #audiences: readonly string[];
  readonly #secrets: Informer<Secret>;
  readonly #accounts: Informer<ServiceAccount>;
  readonly #verified = new LruCache<string, Claims>(CACHED_TOKENS);

  /** `audiences`: those of the API server, for which such tokens are. */
  constructor(publicKeys: readonly KeyObject[], audiences: readonly string[], client: Pick<Client, 'informer'>) {
    this.#keys = new Map(publicKeys.map((key) => [keyId(key), key]));
    this.#audiences = audiences;
    this.#secrets = client.informer(secrets);
    this.#accounts = client.informer(serviceAccounts);
  }

  /** The user of `token`; undefined when the token is not of this kind. */
  authenticate(token: string, audiences = this.#audiences): TokenResult | undefined {
    const claims = this.#claims(token);
    if (claims === undefined) return undefined;
    if (claims === 'forged') return { error: 'the token has no valid signature' };
    const granted = audiences.filter((audience) => this.#audiences.includes(audience));
    if (granted.length === 0) return { error: 'the token is for the API server alone' };
    const error = this.#refusal(token, claims);
    if (error !== undefined) return { error };
    const { [NAMESPACE]: namespace, [NAME]: name, [UID]: uid } = claims;
    const user = { name: serviceAccountUsername(namespace, name), uid, groups: serviceAccountGroups(namespace) };
    return { user, audiences: granted };
  }

  #claims(token: string): Claims | 'forged' | undefined {
    const digest = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(digest);
    if (known !== undefined) return known;
    const unverified = unverifiedClaims(token);
    if (unverified?.['iss'] !== ISSUER) return undefined;
    const parsed = claimsSchema.safeParse(unverified);
    if (!parsed.success || !verifyJwt(token, this.#keys)) return 'forged';
    this.#verified.set(digest, parsed.data);
    return parsed.data;
  }

  #refusal(
    token: string,
    { sub, [NAMESPACE]: namespace, [NAME]: name, [SECRET]: secret, [UID]: uid }: Claims,
  ): string | undefined {
    if (sub !== serviceAccountUsername(namespace, name)) return 'sub claim does not match its account';
    const holder = this.#secrets.get(secret, namespace);
    if (holder === undefined || holder.metadata.deletionTimestamp !== undefined) return 'Token has been invalidated';
    if (Buffer.from(holder.data?.['token'] ?? '', 'base64').toString() !== token) {
      return "Token does not match server's copy";
    }
    const account = this.#accounts.get(name, namespace);
    if (account === undefined || account.metadata.deletionTimestamp !== undefined) {
      return `ServiceAccount ${namespace}/${name} has been deleted`;
    }
    if (account.metadata.uid === uid) return undefined;
    return `ServiceAccount UID (${account.metadata.uid}) does not match claim (${uid})`;
  }
}
