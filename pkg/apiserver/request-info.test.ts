import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequestInfo } from './request-info.ts';

const cases: readonly [string, string, string][] = [
  ['GET', '/api/v1/namespaces/a/pods', 'list ns=a pods'],
  ['GET', '/api/v1/namespaces/a/pods?watch=1', 'watch ns=a pods'],
  ['GET', '/api/v1/pods?watch=false', 'list ns= pods'],
  ['GET', '/api/v1/namespaces/a/pods/p/log', 'get ns=a pods/log p'],
  ['POST', '/api/v1/namespaces/a/pods/p/exec', 'create ns=a pods/exec p'],
  ['GET', '/api/v1/namespaces/a', 'get ns=a namespaces a'],
  ['PUT', '/api/v1/namespaces/a/finalize', 'update ns=a namespaces/finalize a'],
  ['DELETE', '/apis/apps/v1/namespaces/a/deployments', 'deletecollection ns=a deployments'],
  ['GET', '/api/v1/watch/namespaces/a/pods', 'watch ns=a pods'],
  ['GET', '/api/v1/nodes?fieldSelector=metadata.name%3Dn1', 'list ns= nodes n1'],
  ['GET', '/api/v1', 'other get'],
  ['GET', '/healthz', 'other get'],
];

for (const [method, url, expected] of cases) {
  test(`${method} ${url}`, () => {
    const [path = '', query = ''] = url.split('?');
    const info = parseRequestInfo(method, path, new URLSearchParams(query));
    const subject = `${info.resource}${info.subresource && `/${info.subresource}`}${info.name && ` ${info.name}`}`;
    assert.equal(info.isResource ? `${info.verb} ns=${info.namespace} ${subject}` : `other ${info.verb}`, expected);
  });
}

test('a malformed escape is a bad request', () => {
  assert.throws(() => parseRequestInfo('GET', '/api/v1/%zz/x', new URLSearchParams()), { code: 400 });
});
