import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { JsonObject } from '../../api/schema.ts';
import { decodeProtobuf, encodeProtobuf, openEnvelope, schemaOfKind } from '../../apimachinery/protobuf/envelope.ts';
import { configMap } from '../../registry/core/config-map.ts';
import { encodeForStorage, StoredObject } from '../storage/stored-object.ts';
import { type Exchange, sendPieces } from './exchange.ts';
import { giveRoom, ROOM_BYTES, takeRoom, wholeOf } from './pieced-document.ts';
import { jsonList, protobufList } from './representation.ts';

/** Objects of these sizes. */
const objects = (...sizes: number[]): StoredObject[] =>
  sizes.map((size, index) => {
    const data = { text: `${'é'.repeat(size / 4)}${'x'.repeat(size / 2)}` };
    const metadata = { name: `c${index}`, namespace: 'default', uid: '', creationTimestamp: '2026-01-02T03:04:05Z' };
    const value = encodeForStorage({ kind: 'ConfigMap', apiVersion: 'v1', metadata, data } as never);
    return new StoredObject({ key: `/c${index}`, value, createRevision: index + 1, modRevision: index + 1 });
  });

/** None, one, several, just about a room, many rooms, larger than a room. */
const CASES = [
  [],
  [100],
  [100, 0, 2000],
  [ROOM_BYTES - 400, 300],
  Array.from({ length: 400 }, (_, n) => 2000 + n),
  [100, 3 * ROOM_BYTES, 100, ROOM_BYTES, ROOM_BYTES],
];
const METADATA = { resourceVersion: '77', continue: 'abc' };

/** The list with its items as they are stored, without the kinds that lists of built-in kinds leave out. */
function expected(items: readonly StoredObject[]): JsonObject {
  const shown = items.map(({ object }) => {
    const { kind: _k, apiVersion: _v, ...rest } = object;
    return rest as unknown as JsonObject;
  });
  return { kind: 'ConfigMapList', apiVersion: 'v1', metadata: METADATA, items: shown };
}

test('a list in JSON is the same however many rooms it takes', () => {
  for (const sizes of CASES) {
    const items = objects(...sizes);
    const list = jsonList(configMap, items, METADATA);
    const whole = wholeOf(list);
    assert.equal(whole.length, list.length);
    assert.deepEqual(JSON.parse(whole.toString('utf8')), expected(items));
  }
});

test('a list in protobuf is the same as one that is encoded at once', async () => {
  const schema = schemaOfKind('v1', 'ConfigMapList');
  assert.ok(schema !== undefined);
  for (const sizes of CASES) {
    const items = objects(...sizes);
    const list = await protobufList(configMap, items, METADATA);
    const whole = wholeOf(list);
    assert.equal(whole.length, list.length);
    assert.ok(whole.equals(encodeProtobuf(expected(items), schema)));
    const decoded = decodeProtobuf(openEnvelope(whole), schema) as { items?: { metadata: JsonObject }[] };
    assert.deepEqual(
      (decoded.items ?? []).map(({ metadata }) => metadata['name']),
      sizes.map((_, index) => `c${index}`),
    );
  }
});

/** Serves a list to whoever asks; resolves when it was handed over. */
async function serve(t: TestContext, items: readonly StoredObject[]): Promise<{ url: string; sent: Promise<void> }> {
  const done = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const exchange = { request, response, warnings: [], query: new URLSearchParams() } as unknown as Exchange;
    sendPieces(exchange, jsonList(configMap, items, METADATA), 'application/json').then(done.resolve, done.reject);
  });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, sent: done.promise };
}

async function answer(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { headers, agent: false }), 'response')) as [IncomingMessage];
  return response;
}

test('large lists are sent in pieces, with their length; who leaves in the middle holds nothing up', async (t) => {
  const items = objects(...Array.from({ length: 2000 }, () => 4000));
  const first = await serve(t, items);
  const response = await answer(first.url);
  const body = await buffer(response);
  await first.sent;
  assert.equal(Number(response.headers['content-length']), body.length);
  assert.deepEqual(JSON.parse(body.toString('utf8')), expected(items));

  const second = await serve(t, items);
  const left = await answer(second.url);
  await once(left, 'readable');
  left.destroy();
  await second.sent;

  const third = await serve(t, items);
  const packed = await answer(third.url, { 'accept-encoding': 'gzip' });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.deepEqual(JSON.parse(gunzipSync(await buffer(packed)).toString('utf8')), expected(items));
  await third.sent;

  const fourth = await serve(t, items);
  const broken = await answer(fourth.url, { 'accept-encoding': 'gzip' });
  await once(broken, 'readable');
  broken.destroy();
  await fourth.sent;
});

test('rooms are used again when they are given back, others are not kept', () => {
  const room = takeRoom();
  giveRoom(room.subarray(0, 10));
  const again = takeRoom();
  assert.equal(again.length, ROOM_BYTES);
  assert.equal(again.buffer, room.buffer);
  giveRoom(Buffer.alloc(10));
  assert.equal(takeRoom().length, ROOM_BYTES);
});
