import type { Random } from './random.ts';
import { mutateText, strangeText } from './texts.ts';

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const CLAIMS = {
  iss: 'https://kubernetes.default.svc.cluster.local',
  aud: ['https://kubernetes.default.svc.cluster.local'],
  sub: 'system:serviceaccount:default:default',
  exp: 4_000_000_000,
  'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'default', uid: 'x' } },
};

/** An Authorization header that proves nothing: damaged, forged, or no token at all. */
export function strangeAuthorization(random: Random): string {
  return random.weighted<() => string>([
    [3, () => `Bearer ${forged(random)}`],
    [2, () => `Bearer ${mutateText(random, forged(random))}`],
    [1, () => `Bearer ${strangeText(random)}`],
    [1, () => `Bearer abcdef.0123456789abcdef`],
    [1, () => `Bearer K10${'a'.repeat(64)}::server:x`],
    [1, () => `Basic ${Buffer.from(strangeText(random)).toString('base64')}`],
    [1, () => mutateText(random, 'Bearer x.y.z')],
    [1, () => `Bearer ${'x'.repeat(7000)}`],
  ])();
}

/** Shaped like the token of a service account, signed by nobody, or by no algorithm at all. */
function forged(random: Random): string {
  const header = {
    alg: random.pick(['RS256', 'none', 'HS256', 'ES256', '', 'rs256']),
    typ: 'JWT',
    kid: strangeText(random),
  };
  const claims = {
    ...CLAIMS,
    [random.pick(Object.keys(CLAIMS))]: random.pick([null, [], {}, -1, 1e300, strangeText(random)]),
  };
  const signature = random.pick(['', random.bytes(32).toString('base64url'), random.bytes(256).toString('base64url')]);
  return `${encoded(header)}.${encoded(random.chance(0.5) ? claims : CLAIMS)}.${signature}`;
}
