import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployments, nodes, pods } from '../../api/resources.ts';
import { requestPath } from './request-path.ts';

test('paths and queries of resources', () => {
  assert.equal(requestPath(pods, {}), '/api/v1/pods');
  assert.equal(
    requestPath(pods, { namespace: 'a', name: 'b', subresource: 'status' }),
    '/api/v1/namespaces/a/pods/b/status',
  );
  assert.equal(requestPath(deployments, { namespace: 'a' }), '/apis/apps/v1/namespaces/a/deployments');
  assert.equal(requestPath(nodes, { namespace: 'ignored', name: 'n' }), '/api/v1/nodes/n');
  assert.equal(requestPath(nodes, { name: 'system:x/y' }), '/api/v1/nodes/system%3Ax%2Fy');
  const query = { fieldSelector: 'spec.nodeName=n', limit: 5, force: false, continue: undefined };
  assert.equal(requestPath(pods, {}, query), '/api/v1/pods?fieldSelector=spec.nodeName%3Dn&limit=5&force=false');
});
