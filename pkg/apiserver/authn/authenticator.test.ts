import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { before, test } from 'node:test';
import { compactVerify, importJWK } from 'jose';
import { StatusError } from '../../apimachinery/status-error.ts';
import { FakeClock } from '../../base/clock.ts';
import { createAuthority, issueCertificate } from '../../pki/issue.ts';
import { Authenticator } from './authenticator.ts';
import type { TlsPeer } from './client-certificate.ts';
import { type BoundObject, ServiceAccountTokenAuthenticator } from './service-account-token.ts';
import { DEFAULT_ISSUER, TokenIssuer } from './token-issuer.ts';
import { ANONYMOUS } from './user.ts';

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const clock = new FakeClock();
const objects = new Map<string, BoundObject>();
const tokens = new ServiceAccountTokenAuthenticator({
  publicKeys: [key.publicKey],
  issuers: [DEFAULT_ISSUER],
  audiences: [DEFAULT_ISSUER],
  clock,
  objects: {
    serviceAccount: (namespace, name) => objects.get(`sa/${namespace}/${name}`),
    pod: (namespace, name) => objects.get(`pod/${namespace}/${name}`),
    secret: (namespace, name) => objects.get(`secret/${namespace}/${name}`),
    node: (name) => objects.get(`node/${name}`),
  },
});
const issuer = new TokenIssuer({
  key,
  issuer: DEFAULT_ISSUER,
  audiences: [DEFAULT_ISSUER],
  clock,
  extendExpiration: true,
});
const authenticator = new Authenticator({ tokens: [tokens], anonymousAuth: true, clock });
const request = {
  namespace: 'ns',
  serviceAccount: { name: 'bot', uid: 'u1' },
  audiences: [],
  expirationSeconds: 3600,
};
const pod = { name: 'p', uid: 'p1' };

function alive(uid: string, deletionTimestamp?: string): BoundObject {
  return { metadata: { uid, ...(deletionTimestamp && { deletionTimestamp }) } };
}

function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

function refused(credentials: object): void {
  assert.throws(
    () => authenticator.authenticate(credentials),
    (error) => error instanceof StatusError && error.code === 401 && error.message === 'Unauthorized',
  );
}

before(() => {
  objects.set('sa/ns/bot', alive('u1'));
  objects.set('pod/ns/p', alive('p1'));
});

test('a service account token names its account', () => {
  const { token, id } = issuer.issueServiceAccountToken(request);
  const user = authenticator.authenticate(bearer(token));
  assert.deepEqual(user, {
    name: 'system:serviceaccount:ns:bot',
    uid: 'u1',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${id}`] },
  });
  const protocol = `v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`;
  assert.deepEqual(authenticator.authenticate({ webSocketProtocol: protocol }), user);
});

test('a token ends with its time, its account and its Pod', async () => {
  const { token } = issuer.issueServiceAccountToken({ ...request, pod, node: { name: 'n', uid: 'n1' } });
  const user = authenticator.authenticate(bearer(token));
  assert.deepEqual(user.extra?.['authentication.kubernetes.io/pod-name'], ['p']);
  assert.deepEqual(user.extra?.['authentication.kubernetes.io/node-uid'], ['n1']);

  objects.set('pod/ns/p', alive('p2'));
  refused(bearer(token));
  objects.set('pod/ns/p', alive('p1', new Date(clock.now() - 59_000).toISOString()));
  authenticator.authenticate(bearer(token));
  objects.set('pod/ns/p', alive('p1', new Date(clock.now() - 61_000).toISOString()));
  refused(bearer(token));
  objects.set('pod/ns/p', alive('p1'));
  objects.delete('sa/ns/bot');
  refused(bearer(token));
  objects.set('sa/ns/bot', alive('u1'));
  authenticator.authenticate(bearer(token));

  await clock.advance(3600 * 1000);
  refused(bearer(token));
  assert.deepEqual(authenticator.review(token, undefined), {
    error: '[invalid bearer token, service account token has expired]',
  });
});

test('a token is good only for its audiences', () => {
  const { token } = issuer.issueServiceAccountToken({ ...request, audiences: ['vault'] });
  refused(bearer(token));
  const review = authenticator.review(token, ['vault', 'other']);
  assert.ok('user' in review);
  assert.deepEqual(review.audiences, ['vault']);
  assert.deepEqual(authenticator.review(issuer.issueServiceAccountToken(request).token, ['other']), {
    error: `[invalid bearer token, token audiences ["${DEFAULT_ISSUER}"] is invalid for the target audiences ["other"]]`,
  });
});

test('a forged, unsigned or damaged token is refused, never taken for anonymous', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const forger = new TokenIssuer({
    key: other,
    issuer: DEFAULT_ISSUER,
    audiences: [DEFAULT_ISSUER],
    clock,
    extendExpiration: false,
  });
  refused(bearer(forger.issueServiceAccountToken(request).token));
  const [head, body, signature] = issuer.issueServiceAccountToken(request).token.split('.');
  const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
  refused(bearer(`${none}.${body}.`));
  refused(bearer(`${head}.${body}.`));
  refused(bearer(`${head}.${body}.${signature}x.y`));
  const claims = JSON.parse(Buffer.from(body ?? '', 'base64url').toString());
  const changed = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 1 })).toString('base64url');
  refused(bearer(`${head}.${changed}.${signature}`));
  for (const garbage of ['abc', 'a.b.c', '..', '\u0000']) refused(bearer(garbage));
  assert.deepEqual(authenticator.review('abc', undefined), { error: 'invalid bearer token' });
});

test('a Pod token is extended for clients that never read it again, but says so to nobody', async () => {
  const issued = issuer.issueServiceAccountToken({ ...request, pod, expirationSeconds: 3607 });
  assert.equal(issued.expiration, (Math.floor(clock.now() / 1000) + 3607) * 1000);
  await clock.advance(2 * 3600 * 1000);
  authenticator.authenticate(bearer(issued.token));
  const foreign = issuer.issueServiceAccountToken({ ...request, pod, expirationSeconds: 3607, audiences: ['vault'] });
  await clock.advance(2 * 3600 * 1000);
  assert.ok('error' in authenticator.review(foreign.token, ['vault']));
});

test('others can verify a token with the published keys', async () => {
  const keys = issuer.keySet() as { keys: { kid: string }[] };
  const [jwk] = keys.keys;
  assert.ok(jwk);
  const { token } = issuer.issueServiceAccountToken(request);
  const { protectedHeader, payload } = await compactVerify(token, await importJWK(jwk, 'ES256'));
  assert.equal(protectedHeader.kid, jwk.kid);
  assert.equal(JSON.parse(Buffer.from(payload).toString()).iss, DEFAULT_ISSUER);
});

test('without credentials a request is anonymous, where that is allowed', () => {
  assert.equal(authenticator.authenticate({}), ANONYMOUS);
  assert.equal(authenticator.authenticate({ authorization: 'Basic Zm9vOmJhcg==' }), ANONYMOUS);
  const strict = new Authenticator({ tokens: [], anonymousAuth: false, clock });
  assert.throws(() => strict.authenticate({}), /Unauthorized/);
});

test('a client certificate names user and groups, until it expires', async () => {
  const authority = await createAuthority('ca', clock.now());
  const pair = await issueCertificate(
    {
      name: 'client',
      issuer: 'ca',
      commonName: 'system:node:n1',
      organizations: ['system:nodes', 'crew'],
      usage: 'client',
      dnsNames: [],
      ipAddresses: [],
    },
    authority,
    clock.now(),
  );
  const certificate = new X509Certificate(pair.certificate);
  const peer: TlsPeer = { authorized: true, getPeerX509Certificate: () => certificate };
  const user = authenticator.authenticate({ peer });
  assert.equal(user.name, 'system:node:n1');
  assert.deepEqual(user.groups, ['system:nodes', 'crew', 'system:authenticated']);
  assert.match(
    user.extra?.['authentication.kubernetes.io/credential-id']?.[0] ?? '',
    new RegExp(`^X509SHA256=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}$`),
  );
  refused({ peer: { authorized: false, getPeerX509Certificate: () => certificate } });
  assert.equal(
    authenticator.authenticate({ peer: { authorized: false, getPeerX509Certificate: () => undefined } }),
    ANONYMOUS,
  );
  await clock.advance(366 * 24 * 3600 * 1000);
  refused({ peer });
});
