import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOf } from '../../api/facts.ts';
import { decodeProtobuf, openEnvelope } from '../../apimachinery/protobuf/envelope.ts';
import { WireReader } from '../../apimachinery/protobuf/wire.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { configMap } from '../../registry/core/config-map.ts';
import { pod } from '../../registry/core/pod.ts';
import { JSON_TYPE, PROTOBUF_TYPE } from '../http/negotiate.ts';
import { StoredObject } from '../storage/stored-object.ts';
import { watchEncoding } from './watch-encoding.ts';

const CONFIG_MAP = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'c', namespace: 'n' }, data: { a: '1' } };
const stored = new StoredObject({
  key: 'k',
  value: Buffer.from(JSON.stringify(CONFIG_MAP)),
  createRevision: 6,
  modRevision: 7,
});
const whole = { ...CONFIG_MAP, metadata: { resourceVersion: '7', ...CONFIG_MAP.metadata } };

/** The type and the object's document of a frame. */
function openFrame(frame: Buffer): { type: string; document: Buffer } {
  assert.equal(frame.readUInt32BE(), frame.length - 4);
  const event = new WireReader(frame.subarray(4));
  assert.deepEqual(event.tag(), { field: 1, wireType: 2 });
  const type = event.string();
  assert.deepEqual(event.tag(), { field: 2, wireType: 2 });
  const extension = new WireReader(event.bytes());
  assert.ok(event.done);
  assert.deepEqual(extension.tag(), { field: 1, wireType: 2 });
  return { type, document: extension.bytes() };
}

test('JSON events are lines, protobuf events frames; every watcher of a kind gets the same bytes', () => {
  const json = watchEncoding(configMap, { mediaType: JSON_TYPE, as: undefined }, 'None');
  assert.equal(json.contentType, 'application/json');
  const line = json.event('ADDED', stored);
  assert.equal(line.toString(), `${JSON.stringify({ type: 'ADDED', object: whole })}\n`);

  const binary = watchEncoding(configMap, { mediaType: PROTOBUF_TYPE, as: undefined }, 'None');
  assert.equal(binary.contentType, 'application/vnd.kubernetes.protobuf;stream=watch');
  const frame = binary.event('ADDED', stored);
  const { type, document } = openFrame(frame);
  assert.equal(type, 'ADDED');
  assert.deepEqual(decodeProtobuf(openEnvelope(document), configMap.schema), whole);

  assert.equal(json.event('ADDED', stored), line);
  assert.equal(binary.event('ADDED', stored), frame);
  assert.notEqual(binary.event('MODIFIED', stored), frame);
});

test('bookmarks are empty objects of the kind; the one after the initial events says so', () => {
  const json = watchEncoding(pod, { mediaType: JSON_TYPE, as: undefined }, 'None');
  const metadata = { resourceVersion: '9' };
  assert.deepEqual(JSON.parse(json.bookmark(9, false).toString()), {
    type: 'BOOKMARK',
    object: { kind: 'Pod', apiVersion: 'v1', metadata, spec: { containers: null }, status: {} },
  });

  const binary = watchEncoding(pod, { mediaType: PROTOBUF_TYPE, as: undefined }, 'None');
  const { type, document } = openFrame(binary.bookmark(9, true));
  assert.equal(type, 'BOOKMARK');
  const { annotations } = decodeProtobuf(openEnvelope(document), pod.schema)['metadata'] as {
    annotations: Record<string, string>;
  };
  assert.equal(annotations['k8s.io/initial-events-end'], 'true');
  const blueprint = Buffer.from(annotations['kubernetes.io/initial-events-list-blueprint'] ?? '', 'base64');
  assert.equal(openEnvelope(blueprint).kind, 'PodList');
});

test('metadata only, errors', () => {
  const as = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' } as const;
  const binary = watchEncoding(configMap, { mediaType: PROTOBUF_TYPE, as }, 'None');
  const envelope = openEnvelope(openFrame(binary.event('ADDED', stored)).document);
  assert.deepEqual(decodeProtobuf(envelope, schemaOf('meta.v1.PartialObjectMetadata')), {
    ...as,
    metadata: whole.metadata,
  });
  const { type, document } = openFrame(binary.error(statusErrors.expired('too old').status));
  assert.equal(type, 'ERROR');
  const status = decodeProtobuf(openEnvelope(document), schemaOf('meta.v1.Status'));
  assert.deepEqual([status['reason'], status['code'], status['message']], ['Expired', 410, 'too old']);
});
