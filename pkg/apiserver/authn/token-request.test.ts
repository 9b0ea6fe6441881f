import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { FakeClock } from '../../base/clock.ts';
import { Authenticator } from './authenticator.ts';
import { ServiceAccountTokenAuthenticator } from './service-account-token.ts';
import { DEFAULT_ISSUER, TokenIssuer } from './token-issuer.ts';
import { requestToken, type TokenObjects } from './token-request.ts';
import { reviewSelfSubject, reviewToken } from './token-review.ts';

const NOW = '2026-01-01T00:00:00Z';
const clock = new FakeClock(Date.parse(NOW));
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const audiences = [DEFAULT_ISSUER];
const issuer = new TokenIssuer({ key, issuer: DEFAULT_ISSUER, audiences, clock, extendExpiration: true });

function object(name: string, uid: string): KubeObject {
  return { metadata: { name, uid, namespace: 'ns', resourceVersion: '1', creationTimestamp: NOW } };
}

const pod = {
  ...object('p', 'p1'),
  spec: { serviceAccountName: 'bot', nodeName: 'n', containers: [] },
} as unknown as Pod;
const objects: TokenObjects = {
  serviceAccount: (_namespace, name) => (name === 'bot' || name === 'other' ? object(name, `${name}-1`) : undefined),
  pod: (_namespace, name) => (name === 'p' ? pod : undefined),
  secret: (_namespace, name) => (name === 's' ? object('s', 's1') : undefined),
  node: (name) => (name === 'n' ? object('n', 'n1') : undefined),
};
const verifier = new ServiceAccountTokenAuthenticator({
  publicKeys: [key.publicKey],
  issuers: [DEFAULT_ISSUER],
  audiences,
  clock,
  objects,
});
const authenticator = new Authenticator({ tokens: [verifier], anonymousAuth: true, clock });

interface Answer {
  metadata: object;
  spec: JsonObject;
  status: { token: string; expirationTimestamp: string };
}

function request(spec: JsonObject, name = 'bot'): Answer {
  return requestToken({ name, namespace: 'ns', body: { spec }, now: NOW }, issuer, objects) as Answer;
}

test('an empty request gets the defaults', () => {
  const { metadata, spec, status } = request({});
  assert.deepEqual(metadata, { name: 'bot', namespace: 'ns', creationTimestamp: NOW });
  assert.deepEqual(spec, { audiences: [DEFAULT_ISSUER], expirationSeconds: 3600, boundObjectRef: null });
  assert.equal(status.expirationTimestamp, '2026-01-01T01:00:00Z');
});

test('a token bound to a Pod carries the Pod and its node, and reviews as that', () => {
  const { status } = request({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'p1' } });
  const answer = reviewToken({ body: { spec: { token: status.token } } }, authenticator) as {
    status: { authenticated: boolean; audiences: string[]; user: { username: string; extra: JsonObject } };
  };
  assert.equal(answer.status.authenticated, true);
  assert.deepEqual(answer.status.audiences, [DEFAULT_ISSUER]);
  assert.equal(answer.status.user.username, 'system:serviceaccount:ns:bot');
  assert.deepEqual(answer.status.user.extra['authentication.kubernetes.io/node-name'], ['n']);
  assert.deepEqual(answer.status.user.extra['authentication.kubernetes.io/pod-uid'], ['p1']);
});

test('requests that cannot be met say why', () => {
  const bound = (reference: JsonObject): JsonObject => ({ boundObjectRef: { apiVersion: 'v1', ...reference } });
  assert.throws(() => request({}, 'none'), { message: 'serviceaccounts "none" not found' });
  assert.throws(() => request({ expirationSeconds: 60 }), {
    message:
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
  });
  assert.throws(() => request({ expirationSeconds: 2 ** 32 + 1 }), /larger than 2\^32 seconds/);
  assert.throws(() => request(bound({ kind: 'Pod', name: 'none' })), { message: 'pods "none" not found' });
  assert.throws(() => request(bound({ kind: 'Pod', name: 'p' }), 'other'), /different serviceaccount name/);
  assert.throws(() => request(bound({ kind: 'Secret', name: 's', uid: 'x' })), /does not match the UID in record/);
  assert.throws(() => request(bound({ kind: 'ConfigMap', name: 'c' })), /type \/v1, Kind=ConfigMap/);
});

test('reviews without a usable token', () => {
  assert.throws(() => reviewToken({ body: {} }, authenticator), {
    message: 'token is required for TokenReview in authentication',
  });
  assert.deepEqual(reviewToken({ body: { spec: { token: 'abc' } } }, authenticator), {
    spec: { token: 'abc' },
    status: { user: {}, error: 'invalid bearer token' },
  });
});

test('who am I', () => {
  const user = { name: 'ann', groups: ['g1', 'system:authenticated'] };
  assert.deepEqual(reviewSelfSubject({ body: { kind: 'SelfSubjectReview' }, user, now: NOW }), {
    kind: 'SelfSubjectReview',
    metadata: { creationTimestamp: NOW },
    status: { userInfo: { username: 'ann', groups: ['g1', 'system:authenticated'] } },
  });
});
