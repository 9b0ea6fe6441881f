import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import type { Client } from '../../client/client.ts';
import { issueSecretToken, SecretTokenAuthenticator } from './secret-token.ts';

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const request = { namespace: 'ns', account: { name: 'sa', uid: 'u1' }, secret: 'holder' };
const token = issueSecretToken(key, request);

/** Informers over one Secret and one account. */
function informersOf(held: string, account: object | undefined): Pick<Client, 'informer'> {
  const data = { token: Buffer.from(held).toString('base64') };
  const objects: Record<string, unknown> = {
    'secrets/ns/holder': { metadata: { name: 'holder', uid: 's1' }, data },
    'serviceaccounts/ns/sa': account,
  };
  return {
    informer: <T extends KubeObject>({ resource }: ResourceType<T>) => ({
      synced: async () => {},
      get: (name, namespace) => objects[`${resource}/${namespace}/${name}`] as T | undefined,
      list: () => [],
      subscribe: () => () => {},
    }),
  };
}

const ALIVE = { metadata: { name: 'sa', uid: 'u1' } };
const authenticate = (held: string, account: object | undefined, presented = token, audiences?: string[]): unknown =>
  new SecretTokenAuthenticator([key.publicKey], ['api'], informersOf(held, account)).authenticate(presented, audiences);

test('a token counts while its Secret holds it and its account lives', () => {
  const groups = ['system:serviceaccounts', 'system:serviceaccounts:ns'];
  const user = { name: 'system:serviceaccount:ns:sa', uid: 'u1', groups };
  assert.deepEqual(authenticate(token, ALIVE), { user, audiences: ['api'] });
  assert.deepEqual(authenticate('another', ALIVE), { error: "Token does not match server's copy" });
  assert.deepEqual(authenticate(token, undefined), { error: 'ServiceAccount ns/sa has been deleted' });
  assert.deepEqual(authenticate(token, { metadata: { name: 'sa', uid: 'u2' } }), {
    error: 'ServiceAccount UID (u2) does not match claim (u1)',
  });
  assert.deepEqual(authenticate(token, ALIVE, token, ['elsewhere']), {
    error: 'the token is for the API server alone',
  });
});

test('what others signed is refused, what is of another kind is left to others', () => {
  const forged = issueSecretToken(other, request);
  assert.deepEqual(authenticate(forged, ALIVE, forged), { error: 'the token has no valid signature' });
  assert.equal(authenticate(token, ALIVE, 'no.such.token'), undefined);
});
