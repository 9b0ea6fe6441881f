import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COLLECTION_TYPES,
  MEDIA_TYPES,
  negotiate,
  negotiatePlain,
  negotiateStream,
  requireProduced,
} from './negotiate.ts';

const JSON_TYPE = 'application/json';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const META = ';g=meta.k8s.io;v=v1';
const table = { kind: 'Table', apiVersion: 'meta.k8s.io/v1' };
const metadata = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' };

test('what built-in kinds are answered in', () => {
  for (const [accept, mediaType, as] of [
    [undefined, JSON_TYPE, undefined],
    ['*/*', JSON_TYPE, undefined],
    ['text/html, application/*;q=0.8', JSON_TYPE, undefined],
    [`${PROTOBUF},${JSON_TYPE}`, PROTOBUF, undefined],
    [`${PROTOBUF};q=0.5, ${JSON_TYPE};q=0.9`, JSON_TYPE, undefined],
    ['*/*,application/yaml', 'application/yaml', undefined],
    ['application/json;q=0', JSON_TYPE, undefined],
    ['application/json;q=many,application/yaml;q=0.1', 'application/yaml', undefined],
    [`${JSON_TYPE};as=Table${META},${JSON_TYPE}`, JSON_TYPE, table],
    // Tables have no protobuf form.
    [`${PROTOBUF};as=Table${META},${JSON_TYPE};as=Table${META}`, JSON_TYPE, table],
    [`${PROTOBUF};as=PartialObjectMetadata${META},${JSON_TYPE}`, PROTOBUF, metadata],
    [`${JSON_TYPE};as=Table;g=meta.k8s.io;v=v2,${JSON_TYPE}`, JSON_TYPE, undefined],
    [`${JSON_TYPE};as=Table;g=meta.k8s.io;v=v1beta1`, JSON_TYPE, { ...table, apiVersion: 'meta.k8s.io/v1beta1' }],
  ] as const) {
    assert.deepEqual(negotiate(accept, false), { mediaType, as }, accept ?? '(none)');
  }
});

test('custom resources are never protobuf, their metadata is', () => {
  assert.equal(negotiate(`${PROTOBUF},${JSON_TYPE}`, true).mediaType, JSON_TYPE);
  assert.deepEqual(negotiate(`${PROTOBUF};as=PartialObjectMetadata${META}`, true), {
    mediaType: PROTOBUF,
    as: metadata,
  });
  assert.throws(() => negotiate(PROTOBUF, true), {
    message: `only the following media types are accepted: application/json, application/yaml, ${PROTOBUF}`,
  });
});

test('refusals name what there is', () => {
  const plain = `application/json, application/yaml, ${PROTOBUF}`;
  const streams = `application/json;stream=watch, ${PROTOBUF};stream=watch`;
  const available = '406: Not Acceptable\n\nAvailable representations: ';
  for (const accept of ['application/xml', 'application/*', 'APPLICATION/JSON', 'application/x-yaml', ',']) {
    assert.throws(() => requireProduced(accept, MEDIA_TYPES), { message: available + plain }, accept);
    const message = `${available}${plain}, ${streams}`;
    assert.throws(() => requireProduced(accept, COLLECTION_TYPES), { message }, accept);
  }
  for (const accept of [undefined, '', 'text/html, */*;q=0.1', 'application/json; charset=utf-8']) {
    assert.doesNotThrow(() => requireProduced(accept, MEDIA_TYPES), accept);
  }
  assert.throws(() => negotiate(`${JSON_TYPE};as=Chair${META}`, false), {
    message: `only the following media types are accepted: application/json, application/yaml, ${PROTOBUF}`,
  });
  assert.throws(() => negotiateStream('application/yaml', false), {
    message: `only the following media types are accepted: application/json;stream=watch, ${PROTOBUF};stream=watch`,
  });
});

test('what is answered and not stored has no tables', () => {
  const table = `${JSON_TYPE};as=Table${META}`;
  assert.throws(() => negotiate(table, false, false), { code: 406 });
  assert.deepEqual(negotiate(`${table},${JSON_TYPE}`, false, false), { mediaType: JSON_TYPE, as: undefined });
});

test('a Status takes the first plain form', () => {
  assert.equal(negotiatePlain(`${JSON_TYPE};as=Table${META},application/yaml`), 'application/yaml');
  assert.equal(negotiatePlain(PROTOBUF), PROTOBUF);
  assert.equal(negotiatePlain('text/html'), undefined);
});
