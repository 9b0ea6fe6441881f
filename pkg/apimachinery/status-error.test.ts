import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldError, goStringMap, Verbatim } from './field-error.ts';
import { FieldPath } from './field-path.ts';
import { goQuote } from './go-quote.ts';
import { type StatusError, statusErrors, toStatusError } from './status-error.ts';

const pods = { group: '', resource: 'pods' };
const deployments = { group: 'apps', resource: 'deployments' };

test('messages, codes and reasons', () => {
  const table: [StatusError, number, string, string][] = [
    [statusErrors.notFound(pods, 'x'), 404, 'NotFound', 'pods "x" not found'],
    [statusErrors.alreadyExists(deployments, 'd'), 409, 'AlreadyExists', 'deployments.apps "d" already exists'],
    [
      statusErrors.conflict(pods, 'a'),
      409,
      'Conflict',
      'Operation cannot be fulfilled on pods "a": the object has been modified; please apply your changes to the latest version and try again',
    ],
    [
      statusErrors.forbiddenByAuthorizer({ user: 'ann', verb: 'list', resource: pods, namespace: 'n' }),
      403,
      'Forbidden',
      'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "n"',
    ],
    [
      statusErrors.forbiddenByAuthorizer({
        user: 'ann',
        verb: 'get',
        resource: { ...deployments, subresource: 'scale' },
        name: 'd',
      }),
      403,
      'Forbidden',
      'deployments.apps "d" is forbidden: User "ann" cannot get resource "deployments/scale" in API group "apps" at the cluster scope',
    ],
    [
      statusErrors.forbiddenByAuthorizer({ user: 'ann', verb: 'get', path: '/metrics' }),
      403,
      'Forbidden',
      'forbidden: User "ann" cannot get path "/metrics"',
    ],
    [
      statusErrors.requestEntityTooLarge('limit is 3145728'),
      413,
      'RequestEntityTooLarge',
      'Request entity too large: limit is 3145728',
    ],
    [statusErrors.tooOldResourceVersion('3', '9'), 410, 'Expired', 'too old resource version: 3 (9)'],
    [statusErrors.internalError('boom'), 500, 'InternalError', 'Internal error occurred: boom'],
    [toStatusError(new Error('odd')), 500, '', 'odd'],
  ];
  for (const [error, code, reason, message] of table) {
    assert.deepEqual([error.code, error.reason, error.message], [code, reason, message]);
  }
});

test('details carry only what is set', () => {
  assert.deepEqual(statusErrors.notFound(pods, 'x').status.details, { name: 'x', kind: 'pods' });
  assert.deepEqual(statusErrors.forbiddenByAuthorizer({ user: 'a', verb: 'get', path: '/x' }).status.details, {});
  assert.equal(statusErrors.badRequest('no').status.details, undefined);
  assert.deepEqual(JSON.parse(JSON.stringify(statusErrors.unclassified('x').status)), {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'x',
    code: 500,
  });
});

test('invalid: one error plain, several in brackets, equal ones once in the message but kept as causes', () => {
  const kind = { group: 'apps', kind: 'Deployment' };
  const one = statusErrors.invalid(kind, 'd', [fieldError.required(FieldPath.of('spec', 'selector'))]);
  assert.equal(one.message, 'Deployment.apps "d" is invalid: spec.selector: Required value');
  const uid = fieldError.invalid('metadata.uid', 'abc', 'field is immutable');
  const twice = statusErrors.invalid({ group: '', kind: 'ConfigMap' }, 'none', [uid, uid]);
  assert.equal(twice.message, 'ConfigMap "none" is invalid: metadata.uid: Invalid value: "abc": field is immutable');
  assert.equal(twice.status.details?.causes?.length, 2);
  const two = statusErrors.invalid(kind, 'd', [
    fieldError.invalid('spec.replicas', -1, 'must be greater than or equal to 0'),
    fieldError.forbidden('data', 'no'),
  ]);
  assert.equal(
    two.message,
    'Deployment.apps "d" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, data: Forbidden: no]',
  );
});

test('field error bodies', () => {
  const table: [string, string][] = [
    [fieldError.duplicate('a', 'c').body, 'Duplicate value: "c"'],
    [
      fieldError.notSupported('a', 'green', ['red', 'blue']).body,
      'Unsupported value: "green": supported values: "red", "blue"',
    ],
    [fieldError.tooLong('a', 128).body, 'Too long: may not be more than 128 bytes'],
    [fieldError.tooMany('a', 3, 2).body, 'Too many: 3: must have at most 2 items'],
    [fieldError.invalid('a', undefined, 'field is immutable').body, 'Invalid value: "null": field is immutable'],
    [
      fieldError.invalid('a', new Verbatim('0x0'), 'must be specified for an update').body,
      'Invalid value: 0x0: must be specified for an update',
    ],
    [
      fieldError.invalid('a', goStringMap({ b: '2', a: '1' }), 'bad').body,
      'Invalid value: map[string]string{"a":"1", "b":"2"}: bad',
    ],
    [fieldError.invalid('a', goStringMap(undefined), 'bad').body, 'Invalid value: map[string]string(nil): bad'],
  ];
  for (const [actual, expected] of table) assert.equal(actual, expected);
});

test('field paths', () => {
  const path = FieldPath.of('spec').child('containers').index(0).child('env').key('HOME');
  assert.equal(String(path), 'spec.containers[0].env[HOME]');
});

test('Go quoting', () => {
  assert.equal(goQuote('a"b\\\n\x01é\u200b'), '"a\\"b\\\\\\n\\x01é\\u200b"');
});
