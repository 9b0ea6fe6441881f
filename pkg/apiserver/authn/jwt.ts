import { createHash, type KeyObject, sign, verify } from 'node:crypto';

/** JSON web tokens signed with ES256, the one algorithm kedge issues (RFC 7515, RFC 7518 section 3.4). */

export type JwtClaims = Readonly<Record<string, unknown>>;

const HEADER_LIMIT = 1024;

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}

function decode(part: string): JwtClaims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JwtClaims) : undefined;
  } catch {
    // Anything may stand in an Authorization header: what is no JSON is no token of ours.
    return undefined;
  }
}

/** The key's id as upstream's issuer derives it: the SHA-256 of its DER form. */
export function keyId(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

export function signJwt(claims: JwtClaims, privateKey: KeyObject, kid: string): string {
  const text = `${encode({ alg: 'ES256', kid })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/** The claims of a token as they stand, unverified; undefined when it is no JSON web token. */
export function unverifiedClaims(token: string): JwtClaims | undefined {
  const parts = token.split('.');
  return parts.length === 3 ? decode(parts[1] ?? '') : undefined;
}

/** Whether `token` carries an ES256 signature of the key that its `kid` names. */
export function verifyJwt(token: string, keys: ReadonlyMap<string, KeyObject>): boolean {
  const [head = '', body = '', signature = '', ...rest] = token.split('.');
  if (rest.length > 0 || head.length > HEADER_LIMIT) return false;
  const header = decode(head);
  if (header?.['alg'] !== 'ES256' || typeof header['kid'] !== 'string') return false;
  const key = keys.get(header['kid']);
  if (key === undefined) return false;
  return verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
}

/** The public keys as a JSON web key set (RFC 7517), for those who verify tokens themselves. */
export function jsonWebKeySet(publicKeys: readonly KeyObject[]): { keys: object[] } {
  return {
    keys: publicKeys.map((key) => {
      const { kty, crv, x, y } = key.export({ format: 'jwk' });
      return { use: 'sig', kty, kid: keyId(key), crv, alg: 'ES256', x, y };
    }),
  };
}
