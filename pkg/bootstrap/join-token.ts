/** The token with which a machine joins a cluster: k3s's forms. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { OperatorError } from '../base/component.ts';

export interface JoinToken {
  /** sha256 of the cluster's CA bundle, lower-case hex; undefined in the short form, which cannot tell one server from another. */
  readonly caHash: string | undefined;
  /** `server` or `node`; undefined when the token is a password alone or a bootstrap token (`abcdef.0123456789abcdef`). */
  readonly user: string | undefined;
  /** What must not be shown: the password, or the whole bootstrap token. */
  readonly secret: string;
}

const SECURE_PREFIX = 'K10';
const HASH_LENGTH = 64;
const REMEDY = 'copy the whole line from server/token in the data directory of a server';

/** Reads `K10<sha256 of the CA bundle>::<user>:<password>` or a short form. Throws OperatorError, never showing the secret. */
export function parseJoinToken(text: string): JoinToken {
  const token = text.trim();
  if (token === '') throw new OperatorError(`the token is empty: ${REMEDY}`);
  if (/\s/.test(token)) throw new OperatorError(`the token has blanks in it: ${REMEDY}`);
  // Only with its separator: a password may begin with anything.
  if (!token.startsWith(SECURE_PREFIX) || !token.includes('::')) return { caHash: undefined, ...credentials(token) };
  const separator = token.indexOf('::');
  const caHash = token.slice(SECURE_PREFIX.length, separator).toLowerCase();
  if (!/^[0-9a-f]+$/.test(caHash) || caHash.length !== HASH_LENGTH) {
    throw new OperatorError(`the token's CA hash is damaged (not ${HASH_LENGTH} hexadecimal digits): ${REMEDY}`);
  }
  return { caHash, ...credentials(token.slice(separator + 2)) };
}

function credentials(text: string): Pick<JoinToken, 'user' | 'secret'> {
  const colon = text.indexOf(':');
  const user = colon < 0 ? undefined : text.slice(0, colon);
  const secret = text.slice(colon + 1);
  if (secret === '' || user === '') throw new OperatorError(`the token is cut off: ${REMEDY}`);
  return { user, secret };
}

/** The text form that parseJoinToken reads. */
export function formatJoinToken({ caHash, user, secret }: JoinToken): string {
  const who = user === undefined ? secret : `${user}:${secret}`;
  return caHash === undefined ? who : `${SECURE_PREFIX}${caHash}::${who}`;
}

/** The hash of a CA bundle as tokens carry it: over its bytes as they are served. */
export function caBundleHash(bundle: string | Uint8Array): string {
  return createHash('sha256').update(bundle).digest('hex');
}

/** Whether `bundle` is the one the token was made for; a token of the short form fits every one. */
export function fitsCaBundle(token: JoinToken, bundle: string | Uint8Array): boolean {
  return token.caHash === undefined || token.caHash === caBundleHash(bundle);
}

/** Compares secrets without telling by the time it takes where they differ. */
export function isSameSecret(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
