import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApiServerProcess } from './api-server.ts';

const HEADERS = { 'content-type': 'application/json' };

describe('what admission refuses', () => {
  let server: ApiServerProcess;
  before(async () => {
    server = await ApiServerProcess.start();
  });
  after(() => server.stop());

  const post = async (path: string, body: object) => {
    const { status, text } = await server.send({ method: 'POST', path, headers: HEADERS, body: JSON.stringify(body) });
    return { status, answer: JSON.parse(text) };
  };

  test('names are generated after the plugins that change objects, before those that only look', async () => {
    const spec = { serviceAccountName: 'nobody', containers: [{ name: 'a', image: 'a' }] };
    const pods = '/api/v1/namespaces/default/pods';
    const { status, answer } = await post(pods, { metadata: { generateName: 'web-' }, spec });
    assert.equal(status, 403);
    const words = 'error looking up service account default/nobody: serviceaccount "nobody" not found';
    assert.equal(answer.message, `pods "web-" is forbidden: ${words}`);
    assert.deepEqual(answer.details, { name: 'web-', kind: 'pods' });
  });

  test('nothing new comes into a namespace that goes', async () => {
    await post('/api/v1/namespaces', { metadata: { name: 'going' } });
    await server.send({ method: 'DELETE', path: '/api/v1/namespaces/going' });
    const { status, answer } = await post('/api/v1/namespaces/going/configmaps', { metadata: { name: 'late' } });
    assert.equal(status, 403);
    const words = 'unable to create new content in namespace going because it is being terminated';
    assert.equal(answer.message, `configmaps "late" is forbidden: ${words}`);
    assert.deepEqual(answer.details.causes, [
      { reason: 'NamespaceTerminating', message: 'namespace going is being terminated', field: 'metadata.namespace' },
    ]);
  });
});
