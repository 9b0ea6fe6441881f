import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { GrpcChannel } from '../grpc/channel.ts';
import { FrameParser, frame } from '../grpc/frames.ts';
import { GrpcTestServer, refuse, reply } from '../grpc/testing/server.ts';
import { createCriClient } from './client.ts';
import { decode, encode } from './codec.ts';

let dir: string;
let socketPath: string;
const server = new GrpcTestServer();

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kedge-grpc-'));
  socketPath = join(dir, 's.sock');
});

afterEach(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

test('a unary call carries messages both ways and its deadline', async () => {
  let timeout: string | undefined;
  await server.listen(socketPath, (stream, { request, timeout: seen }) => {
    timeout = seen;
    const { version } = decode('VersionRequest', request);
    reply(stream, [encode('VersionResponse', { version, runtimeName: 'fake' })]);
  });
  const client = createCriClient({ socketPath });
  const answer = await client.runtime.version({ version: 'v1' }, { timeoutMs: 1500 });
  assert.deepEqual([answer.version, answer.runtimeName, timeout], ['v1', 'fake', '1500m']);
  await client.runtime.stopContainer({ containerId: 'c', timeout: 30 });
  assert.equal(timeout, '150000m');
  client.close();
  await assert.rejects(client.runtime.version({}), { code: 'UNAVAILABLE' });
});

test('a status other than OK rejects with its code and decoded text, before or after a message', async () => {
  await server.listen(socketPath, (stream, { request }) => {
    const { containerId } = decode('ContainerStatusRequest', request);
    if (containerId === 'late') reply(stream, [encode('ContainerStatusResponse', {})], 13, 'late');
    else refuse(stream, 5, 'no container %22x%22 100%25 %E2%9C%93');
  });
  const { runtime, close } = createCriClient({ socketPath });
  await assert.rejects(runtime.containerStatus({ containerId: 'x' }), {
    name: 'GrpcError',
    code: 'NOT_FOUND',
    message: 'no container "x" 100% ✓',
    method: 'runtime.v1.RuntimeService/ContainerStatus',
  });
  await assert.rejects(runtime.containerStatus({ containerId: 'late' }), { code: 'INTERNAL', message: 'late' });
  close();
});

test('a server that is not there, goes away in a call, and comes back', async () => {
  const { runtime, close } = createCriClient({ socketPath });
  await assert.rejects(runtime.version({}), { code: 'UNAVAILABLE', message: /ENOENT/ });
  await server.listen(socketPath, () => server.drop());
  await assert.rejects(runtime.version({}), { code: 'UNAVAILABLE' });
  await server.close();
  await assert.rejects(runtime.version({}), { code: 'UNAVAILABLE' });
  await server.listen(socketPath, (stream) => reply(stream, [encode('VersionResponse', { version: 'back' })]));
  assert.equal((await runtime.version({})).version, 'back');
  close();
});

test('deadline and cancellation end the call here and at the server', async () => {
  const seen = new EventEmitter();
  await server.listen(socketPath, (stream) => {
    seen.emit('call');
    stream.on('close', () => seen.emit('end', stream.rstCode));
  });
  const { runtime, close } = createCriClient({ socketPath });
  const late = once(seen, 'end');
  await assert.rejects(runtime.version({}, { timeoutMs: 1000 }), { code: 'DEADLINE_EXCEEDED' });
  assert.deepEqual(await late, [constants.NGHTTP2_CANCEL]);
  const cancel = new AbortController();
  const [arrived, cancelled] = [once(seen, 'call'), once(seen, 'end')];
  const call = assert.rejects(runtime.version({}, { signal: cancel.signal }), { code: 'CANCELLED' });
  await arrived;
  cancel.abort();
  await call;
  assert.deepEqual(await cancelled, [constants.NGHTTP2_CANCEL]);
  await assert.rejects(runtime.version({}, { signal: cancel.signal }), { code: 'CANCELLED' });
  close();
});

test('messages are put together from chunks and bounded in size', async () => {
  const big = encode('ListImagesResponse', { images: [{ id: 'x'.repeat(3_000_000) }] });
  await server.listen(socketPath, (stream) => reply(stream, [big]));
  const channel = new GrpcChannel({ name: socketPath, connect: () => connect(socketPath) });
  const call = { method: 'runtime.v1.ImageService/ListImages', request: Buffer.alloc(0), timeoutMs: 5000 };
  assert.equal((await channel.unary(call)).length, big.length);
  channel.close();
  const narrow = new GrpcChannel({ name: socketPath, connect: () => connect(socketPath), maxMessageBytes: 1000 });
  await assert.rejects(narrow.unary(call), { code: 'RESOURCE_EXHAUSTED' });
  narrow.close();
  const parser = new FrameParser(100, 'test');
  const bytes = Buffer.concat([frame(Buffer.from('one')), frame(Buffer.alloc(0)), frame(Buffer.from('two'))]);
  const seen = [...bytes].flatMap((byte) => parser.push(Buffer.from([byte]))).map(String);
  assert.deepEqual(seen, ['one', '', 'two']);
});

test('a broken answer is an error of the call', async () => {
  await server.listen(socketPath, (stream, { request }) => {
    const mode = decode('VersionRequest', request).version;
    if (mode === 'empty') return reply(stream, []);
    if (mode === 'http') return stream.respond({ ':status': 503 }, { endStream: true });
    if (mode === 'reset') return stream.close(2);
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    return stream.end(mode === 'cut' ? Buffer.from([0, 0, 0, 0, 9, 1]) : Buffer.from([1, 0, 0, 0, 0]));
  });
  const { runtime, close } = createCriClient({ socketPath });
  await assert.rejects(runtime.version({ version: 'empty' }), { code: 'INTERNAL', message: /without a message/ });
  await assert.rejects(runtime.version({ version: 'http' }), { code: 'UNKNOWN', message: /503/ });
  await assert.rejects(runtime.version({ version: 'reset' }), { code: 'INTERNAL' });
  await assert.rejects(runtime.version({ version: 'cut' }), { code: 'INTERNAL', message: /inside a message/ });
  await assert.rejects(runtime.version({ version: 'compressed' }), { code: 'INTERNAL', message: /compressed/ });
  close();
});
