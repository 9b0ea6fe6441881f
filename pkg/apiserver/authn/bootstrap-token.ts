import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../api/generated/core-v1.ts';
import { secrets } from '../../api/resources.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import type { TokenAuthenticator } from './authenticator.ts';
import type { TokenResult } from './service-account-token.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const SECRET_TYPE = 'bootstrap.kubernetes.io/token';
const NAMESPACE = 'kube-system';
const DEFAULT_GROUP = 'system:bootstrappers';
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Upstream's bootstrap tokens: `<id>.<secret>`, kept as Secrets `bootstrap-token-<id>` of kube-system. */
export class BootstrapTokenAuthenticator implements TokenAuthenticator {
  readonly #secrets: Informer<Secret>;
  readonly #clock: Clock;
  readonly #audiences: readonly string[];

  constructor(client: Pick<Client, 'informer'>, clock: Clock, audiences: readonly string[]) {
    this.#secrets = client.informer(secrets);
    this.#clock = clock;
    this.#audiences = audiences;
  }

  authenticate(token: string): TokenResult | undefined {
    const [, id = '', given = ''] = TOKEN.exec(token) ?? [];
    if (id === '') return undefined;
    const secret = this.#secrets.get(`bootstrap-token-${id}`, NAMESPACE);
    if (secret?.type !== SECRET_TYPE || secret.metadata.deletionTimestamp !== undefined) return undefined;
    const read = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
    if (read('token-id') !== id || !isSame(read('token-secret'), given)) return { error: 'the secret does not fit' };
    const expiration = read('expiration');
    // What cannot be read as a time has expired, as upstream has it.
    if (expiration !== '' && !(Date.parse(expiration) > this.#clock.now())) return { error: 'the token has expired' };
    if (read('usage-bootstrap-authentication') !== 'true') return { error: 'the token is not for authentication' };
    const extra = read('auth-extra-groups').split(',').filter(Boolean);
    if (extra.some((group) => !GROUP.test(group))) return { error: 'the token names a group it must not' };
    return {
      user: { name: `system:bootstrap:${id}`, groups: [DEFAULT_GROUP, ...extra] },
      audiences: this.#audiences,
    };
  }
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
