import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOf } from '../../api/facts.ts';
import type { JsonObject } from '../../api/schema.ts';
import { decodeProtobuf, encodeProtobuf, openEnvelope } from './envelope.ts';
import { WireError } from './wire.ts';

const POD = schemaOf('core.v1.Pod');

function roundTrip(object: JsonObject, typeName: string): JsonObject {
  const schema = schemaOf(typeName);
  return decodeProtobuf(openEnvelope(encodeProtobuf(object, schema)), schema);
}

const pod: JsonObject = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: {
    name: 'web',
    labels: { b: '2', a: '1', __proto__x: 'y' },
    creationTimestamp: '2026-03-04T05:06:07Z',
    managedFields: [{ manager: 'm', fieldsV1: { 'f:spec': { '.': {} } } }],
  },
  spec: {
    containers: [
      {
        name: 'c',
        resources: { limits: { cpu: '100m', memory: '64Mi' } },
        livenessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 3 },
        readinessProbe: { tcpSocket: { port: 8080 } },
        securityContext: { runAsUser: 0, privileged: false },
      },
    ],
    terminationGracePeriodSeconds: 0,
    securityContext: { supplementalGroups: [1, 9_007_199_254_740_991, -1] },
  },
  status: {},
};

test('an object comes back as it went in, embedded structs and pointers to zero included', () => {
  assert.deepEqual(roundTrip(pod, 'core.v1.Pod'), pod);
});

test('scalars that are messages: times, durations, quantities, bytes, free JSON', () => {
  const lease = {
    kind: 'Lease',
    apiVersion: 'coordination.k8s.io/v1',
    metadata: { name: 'l' },
    spec: { renewTime: '2026-03-04T05:06:07.000089Z', leaseDurationSeconds: 40 },
  };
  assert.deepEqual(roundTrip(lease, 'coordination.v1.Lease'), lease);
  const secret = { kind: 'Secret', apiVersion: 'v1', metadata: {}, data: { k: 'AAEC/w==', empty: '' } };
  assert.deepEqual(roundTrip(secret, 'core.v1.Secret'), secret);
  const revision = { kind: 'R', apiVersion: 'apps/v1', metadata: {}, data: { a: [1, null, 'é'] }, revision: 0 };
  assert.deepEqual(roundTrip(revision, 'apps.v1.ControllerRevision'), revision);
});

test('JSON schemas and the unions in them', () => {
  const props: JsonObject = {
    type: 'object',
    additionalProperties: false,
    default: { a: [null] },
    enum: [1, 'a', null, { b: true }],
    maximum: 1.5,
    properties: {
      a: { additionalProperties: { type: 'string' }, items: [{ type: 'integer' }, { type: 'string' }] },
      b: { items: { type: 'string' }, additionalProperties: true },
    },
    dependencies: { a: ['b', 'c'], d: { type: 'object' } },
  };
  const schema = schemaOf('apiextensions.v1.JSONSchemaProps');
  assert.deepEqual(roundTrip(props, 'apiextensions.v1.JSONSchemaProps'), props);
  assert.ok(encodeProtobuf(props, schema).length > 100);
});

test('a document must be one', () => {
  assert.throws(() => openEnvelope(Buffer.alloc(0)), new WireError('empty data'));
  assert.throws(() => openEnvelope(Buffer.from('k8s\0')), new WireError('empty body'));
  assert.throws(
    () => openEnvelope(Buffer.from('{"kind":"Pod"}')),
    new WireError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]'),
  );
});

test('malformed bytes are refused, whatever they are, and never hang', () => {
  const good = encodeProtobuf(pod, POD);
  let refused = 0;
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(good.subarray(0, round % 3 === 0 ? random(good.length) : good.length));
    for (let flips = random(4); flips >= 0 && bytes.length > 0; flips--) bytes[random(bytes.length)] = random(256);
    try {
      decodeProtobuf(openEnvelope(bytes), POD);
    } catch (error) {
      assert.ok(error instanceof WireError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 500, `${refused} refused`);
});

test('nesting has an end', () => {
  let bytes = Buffer.alloc(0);
  // JSONSchemaProps.not within itself, a thousand times.
  for (let depth = 0; depth < 1000; depth++) {
    const size = bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
    bytes = Buffer.concat([Buffer.from([0xe2, 0x01, ...size]), bytes]);
  }
  const schema = schemaOf('apiextensions.v1.JSONSchemaProps');
  assert.throws(
    () => decodeProtobuf({ apiVersion: '', kind: '', raw: bytes }, schema),
    new WireError('proto: messages are nested too deeply'),
  );
});
