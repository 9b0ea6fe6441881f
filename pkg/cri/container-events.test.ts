import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { frame } from '../grpc/frames.ts';
import { GrpcTestServer, refuse, reply } from '../grpc/testing/server.ts';
import { createCriClient } from './client.ts';
import { decode, encode } from './codec.ts';
import type { ContainerEvent } from './services.ts';

const SUBSCRIBE = 'containerd.services.events.v1.Events/Subscribe';
const PUBLISH = 'containerd.services.events.v1.Events/Publish';
const UNIMPLEMENTED = 12;

let dir: string;
let socketPath: string;
const server = new GrpcTestServer();

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kedge-events-'));
  socketPath = join(dir, 's.sock');
});

afterEach(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** An event as containerd sends it. */
function envelope(topic: string, event: Uint8Array): Buffer {
  const timestamp = { seconds: 1_790_000_000, nanos: 5 };
  return frame(encode('Envelope', { topic, namespace: 'k8s.io', timestamp, event: { value: event } }));
}

test('a runtime without containerd is asked by GetContainerEvents', async () => {
  await server.listen(socketPath, (stream, { method }) => {
    if (!method.endsWith('/GetContainerEvents')) return refuse(stream, UNIMPLEMENTED, 'unknown service');
    const event = { containerId: 'c', containerEventType: 'CONTAINER_STOPPED_EVENT', createdAt: 7n } as const;
    return reply(stream, [encode('ContainerEventResponse', event)]);
  });
  const { runtime, close } = createCriClient({ socketPath });
  const seen: ContainerEvent[] = [];
  let opened = 0;
  const options = { signal: new AbortController().signal, onOpen: () => opened++ };
  for await (const event of runtime.containerEvents(options)) seen.push(event);
  assert.deepEqual(seen, [{ containerId: 'c', type: 'stopped', createdAt: 7n }]);
  assert.equal(opened, 1);
  close();
});

test('a runtime without events rejects with UNIMPLEMENTED', async () => {
  await server.listen(socketPath, (stream) => refuse(stream, UNIMPLEMENTED, 'unknown'));
  const { runtime, close } = createCriClient({ socketPath });
  const events = runtime.containerEvents({ signal: new AbortController().signal });
  await assert.rejects(events[Symbol.asyncIterator]().next(), { code: 'UNIMPLEMENTED' });
  close();
});

test('containerd: open once the subscription is proven; an exit is told when the CRI plugin knows of it', async () => {
  let subscriber: ServerHttp2Stream | undefined;
  let asked = 0;
  const order: string[] = [];
  await server.listen(socketPath, (stream, { method, request }) => {
    if (method === SUBSCRIBE) {
      assert.ok(decode('SubscribeRequest', request).filters.includes('namespace==k8s.io,topic=="/tasks/exit"'));
      stream.respond({ ':status': 200 });
      subscriber = stream;
      return;
    }
    if (method === PUBLISH) {
      order.push('probe');
      subscriber?.write(envelope(decode('PublishRequest', request).topic, Buffer.alloc(0)));
      return reply(stream, [Buffer.alloc(0)]);
    }
    asked += 1;
    // The container has ended before StartContainer has come back.
    const state = (['CONTAINER_CREATED', 'CONTAINER_RUNNING'] as const)[asked - 1] ?? 'CONTAINER_EXITED';
    return reply(stream, [encode('ContainerStatusResponse', { status: { state } })]);
  });
  const { runtime, close } = createCriClient({ socketPath });
  const stop = new AbortController();
  const onOpen = (): void => {
    order.push('open');
    subscriber?.write(envelope('/tasks/exit', encode('TaskExitEvent', { containerId: 'c', id: 'some-exec' })));
    subscriber?.write(envelope('/tasks/exit', encode('TaskExitEvent', { containerId: 'c', id: 'c' })));
    subscriber?.write(envelope('/tasks/start', encode('AnyTaskEvent', { containerId: 'd' })));
  };
  const seen: string[] = [];
  for await (const event of runtime.containerEvents({ signal: stop.signal, onOpen })) {
    assert.equal(event.createdAt, 1_790_000_000_000_000_005n);
    seen.push(`${event.containerId} ${event.type}`);
    if (event.type === 'stopped') stop.abort();
  }
  assert.deepEqual(seen, ['d started', 'c stopped']);
  assert.equal(asked, 3);
  assert.deepEqual(order.slice(-2), ['probe', 'open']);
  close();
});

test('a lost connection is an error of the iteration', async () => {
  await server.listen(socketPath, (_stream, { method }) => {
    if (method === SUBSCRIBE) server.drop();
  });
  const { runtime, close } = createCriClient({ socketPath });
  const events = runtime.containerEvents({ signal: new AbortController().signal });
  await assert.rejects(events[Symbol.asyncIterator]().next(), { code: 'UNAVAILABLE' });
  close();
});
