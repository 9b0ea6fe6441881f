import { createHash, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import { keyId, unverifiedClaims, verifyJwt } from './jwt.ts';
import { LruCache } from './lru-cache.ts';
import { CREDENTIAL_ID, serviceAccountGroups, serviceAccountUsername } from './user.ts';

/** What has to be known of an object a token is bound to. */
export interface BoundObject {
  readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string | undefined };
}

/** Finds the objects tokens are bound to; undefined when there is none of that name. */
export interface BoundObjectGetter {
  serviceAccount(namespace: string, name: string): BoundObject | undefined;
  pod(namespace: string, name: string): BoundObject | undefined;
  secret(namespace: string, name: string): BoundObject | undefined;
  node(name: string): BoundObject | undefined;
}

export interface ServiceAccountTokenOptions {
  readonly publicKeys: readonly KeyObject[];
  readonly issuers: readonly string[];
  /** Audiences a token may be for when the caller asks for none in particular. */
  readonly audiences: readonly string[];
  readonly objects: BoundObjectGetter;
  readonly clock: Clock;
}

export type TokenResult =
  | { readonly user: UserInfo; readonly audiences: readonly string[] }
  /** The token is one of ours but must not be accepted. */
  | { readonly error: string };

const reference = z.object({ name: z.string(), uid: z.string() });
const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string().transform((one) => [one]), z.array(z.string())]),
  exp: z.number(),
  nbf: z.number().optional(),
  jti: z.string().optional(),
  'kubernetes.io': z.object({
    namespace: z.string(),
    serviceaccount: reference,
    pod: reference.optional(),
    secret: reference.optional(),
    node: reference.optional(),
  }),
});
type Claims = z.infer<typeof claimsSchema>;

const CACHED_TOKENS = 1000;
/** An object being deleted keeps its tokens alive for this long after its grace period, as upstream's validator has it. */
const DELETION_LEEWAY_MS = 60_000;
const INVALIDATED = 'service account token has been invalidated';

function quoted(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
}

/**
 * Authenticates by a service account token that kedge signed. The signature of a token is verified once and remembered;
 * its times and the objects it is bound to are looked at every time, so a deleted Pod's token ends with the Pod.
 */
export class ServiceAccountTokenAuthenticator {
  readonly #options: ServiceAccountTokenOptions;
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #verified = new LruCache<string, Claims>(CACHED_TOKENS);

  constructor(options: ServiceAccountTokenOptions) {
    this.#options = options;
    this.#keys = new Map(options.publicKeys.map((key) => [keyId(key), key]));
  }

  /**
   * The user of `token` and those of `audiences` (by default the API server's) it is for. Undefined when the token is
   * not of this kind and another authenticator may know it.
   */
  authenticate(token: string, audiences = this.#options.audiences): TokenResult | undefined {
    const claims = this.#claims(token);
    if (claims === undefined) return undefined;
    if (claims === 'forged') return { error: 'the token has no valid signature' };
    const granted = audiences.filter((audience) => claims.aud.includes(audience));
    if (granted.length === 0) {
      return {
        error: `token audiences ${quoted(claims.aud)} is invalid for the target audiences ${quoted(audiences)}`,
      };
    }
    const error = this.#refusal(claims);
    return error === undefined ? { user: userOf(claims), audiences: granted } : { error };
  }

  #claims(token: string): Claims | 'forged' | undefined {
    const digest = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(digest);
    if (known !== undefined) return known;
    const unverified = unverifiedClaims(token);
    if (unverified === undefined || !this.#options.issuers.includes(String(unverified['iss']))) return undefined;
    const parsed = claimsSchema.safeParse(unverified);
    if (!parsed.success || !verifyJwt(token, this.#keys)) return 'forged';
    this.#verified.set(digest, parsed.data);
    return parsed.data;
  }

  #refusal(claims: Claims): string | undefined {
    const now = this.#options.clock.now();
    if (now >= claims.exp * 1000) return 'service account token has expired';
    if (claims.nbf !== undefined && now < claims.nbf * 1000) return 'service account token is not valid yet';
    const { namespace, serviceaccount, pod, secret, node } = claims['kubernetes.io'];
    if (claims.sub !== serviceAccountUsername(namespace, serviceaccount.name)) return INVALIDATED;
    const { objects } = this.#options;
    const bound: [{ uid: string }, BoundObject | undefined][] = [
      [serviceaccount, objects.serviceAccount(namespace, serviceaccount.name)],
    ];
    if (pod !== undefined) bound.push([pod, objects.pod(namespace, pod.name)]);
    if (secret !== undefined) bound.push([secret, objects.secret(namespace, secret.name)]);
    // A Pod's token names the Pod's node for information only: it is not bound to it.
    if (node !== undefined && pod === undefined) bound.push([node, objects.node(node.name)]);
    return bound.every(([{ uid }, object]) => isAlive(object, uid, now)) ? undefined : INVALIDATED;
  }
}

function isAlive(object: BoundObject | undefined, uid: string, now: number): boolean {
  if (object === undefined || object.metadata.uid !== uid) return false;
  const { deletionTimestamp } = object.metadata;
  return deletionTimestamp === undefined || now <= Date.parse(deletionTimestamp) + DELETION_LEEWAY_MS;
}

function userOf(claims: Claims): UserInfo {
  const { namespace, serviceaccount, pod, node } = claims['kubernetes.io'];
  const extra: Record<string, string[]> = {};
  if (claims.jti !== undefined) extra[CREDENTIAL_ID] = [`JTI=${claims.jti}`];
  if (node !== undefined) {
    extra['authentication.kubernetes.io/node-name'] = [node.name];
    extra['authentication.kubernetes.io/node-uid'] = [node.uid];
  }
  if (pod !== undefined) {
    extra['authentication.kubernetes.io/pod-name'] = [pod.name];
    extra['authentication.kubernetes.io/pod-uid'] = [pod.uid];
  }
  return {
    name: serviceAccountUsername(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: serviceAccountGroups(namespace),
    extra,
  };
}
