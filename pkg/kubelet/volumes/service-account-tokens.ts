import type { TokenRequest } from '../../api/generated/authentication-v1.ts';
import type { Pod, ServiceAccountTokenProjection } from '../../api/generated/core-v1.ts';
import { serviceAccounts } from '../../api/resources.ts';
import { parseTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';

export interface BoundToken {
  readonly text: string;
  /** When to ask again, in milliseconds since the epoch. */
  readonly refreshAt: number;
}

interface KnownToken extends BoundToken {
  readonly expiresAt: number;
}

const DEFAULT_SECONDS = 3600;
/** A token is renewed when this part of its life is over, or after a day. */
const REFRESH_PART = 0.8;
const DAY_MS = 24 * 3600 * 1000;
const RETRY_MS = 60_000;

/** The bound service account tokens of this node's Pods: upstream kubelet's token manager. */
export class ServiceAccountTokens {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, KnownToken>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /**
   * The token for a projection of `pod`, asked for when there is none or it has to be renewed. A renewal that fails
   * leaves the old token in use until it expires; otherwise rejects with the API's StatusError.
   */
  async get(pod: Pod, source: ServiceAccountTokenProjection): Promise<BoundToken> {
    const key = tokenKey(pod, source);
    const known = this.#tokens.get(key);
    const now = this.#clock.now();
    if (known !== undefined && now < known.refreshAt) return known;
    try {
      const token = await this.#request(pod, source, now);
      this.#tokens.set(key, token);
      return token;
    } catch (error) {
      if (known === undefined || now >= known.expiresAt) throw error;
      return { text: known.text, refreshAt: now + RETRY_MS };
    }
  }

  /** Forgets the tokens of a Pod that is gone. */
  forget(uid: string): void {
    for (const key of this.#tokens.keys()) if (key.startsWith(`${uid}\n`)) this.#tokens.delete(key);
  }

  async #request(pod: Pod, source: ServiceAccountTokenProjection, now: number): Promise<KnownToken> {
    const { name, namespace = '', uid } = pod.metadata;
    const audience = source.audience ?? '';
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        ...(audience === '' ? {} : { audiences: [audience] }),
        expirationSeconds: source.expirationSeconds ?? DEFAULT_SECONDS,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    const account = pod.spec.serviceAccountName ?? 'default';
    const { status } = await this.#client.createSubresource<TokenRequest>(serviceAccounts, account, 'token', body, {
      namespace,
    });
    const expiresAt = parseTime(status.expirationTimestamp ?? '') ?? now;
    const refreshAt = now + Math.min((expiresAt - now) * REFRESH_PART, DAY_MS);
    return { text: status.token, refreshAt, expiresAt };
  }
}

/** Tells the tokens of all projections apart. */
export function tokenKey(pod: Pod, source: ServiceAccountTokenProjection): string {
  return [pod.metadata.uid, pod.spec.serviceAccountName, source.audience, source.expirationSeconds].join('\n');
}
