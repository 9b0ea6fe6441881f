import assert from 'node:assert/strict';
import type { Http2ServerResponse } from 'node:http2';
import { createConnection, createServer, type Socket } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { configMaps, pods } from '../../api/resources.ts';
import { isStatusReason, StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { FakeClock, systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { UnreachableError } from './answer-error.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from './http-client.ts';
import { answer, FakeServer, type Handler, peerName, type TestPki, testPki } from './testing/fake-server.ts';

let pki: TestPki;
const running = new Set<FakeServer>();
const clients = new Set<HttpClient>();

before(async () => {
  pki = await testPki();
});

afterEach(async () => {
  for (const client of clients) client.close();
  clients.clear();
  for (const server of running) await server.kill();
  running.clear();
});

const alive = setInterval(() => {}, 2 ** 30);
after(() => clearInterval(alive));

async function serve(handler: Handler): Promise<FakeServer> {
  const server = await new FakeServer(pki, handler).start();
  running.add(server);
  return server;
}

function connect(servers: readonly string[], more: Partial<HttpClientOptions> = {}): HttpClient {
  const client = createHttpClient({
    servers,
    ca: pki.authority.certificate,
    credentials: { token: 'secret' },
    userAgent: 'kedge-test',
    clock: systemClock,
    log: silentLogger,
    ...more,
  });
  clients.add(client);
  return client;
}

/** Sends the head of an answer whose body is still to come. */
function beginStream(response: Http2ServerResponse): void {
  response.writeHead(200);
  response.write('\n');
}

const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a', namespace: 'ns', resourceVersion: '1' } };

test('requests carry who asks and what is asked', async () => {
  const seen: unknown[] = [];
  const server = await serve((request, response, body) => {
    const { authorization, 'user-agent': agent, 'content-type': type } = request.headers;
    seen.push([request.method, request.url, authorization, agent, type, body]);
    answer(response, 200, object);
  });
  const client = connect([server.url]);
  assert.deepEqual(await client.get(configMaps, 'a', 'ns'), object);
  await client.patch(configMaps, 'a', { type: 'apply', body: { data: {} } }, { namespace: 'ns', force: true });
  await client.delete(configMaps, 'a', { namespace: 'ns', gracePeriodSeconds: 0, preconditions: { uid: 'u' } });
  const who = ['Bearer secret', 'kedge-test'];
  const path = '/api/v1/namespaces/ns/configmaps/a';
  const options = { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0, preconditions: { uid: 'u' } };
  assert.deepEqual(seen, [
    ['GET', path, ...who, undefined, ''],
    ['PATCH', `${path}?fieldManager=kedge&force=true`, ...who, 'application/apply-patch+yaml', '{"data":{}}'],
    ['DELETE', path, ...who, 'application/json', JSON.stringify(options)],
  ]);
  assert.equal(server.connections, 1);
});

test('refusals are StatusErrors, with or without a Status', async () => {
  const server = await serve((request, response) => {
    if (request.url.endsWith('/a')) answer(response, 404, statusErrors.notFound(configMaps, 'a').status);
    else response.writeHead(502).end('bad gateway');
  });
  const client = connect([server.url]);
  await assert.rejects(client.get(configMaps, 'a', 'ns'), (error) => isStatusReason(error, 'NotFound'));
  await assert.rejects(client.get(configMaps, 'b', 'ns'), (error) => {
    return error instanceof StatusError && error.code === 502 && /502: bad gateway/.test(error.message);
  });
});

test('Retry-After is honoured for what may be repeated', async () => {
  let asked = 0;
  const server = await serve((_, response) => {
    asked += 1;
    if (asked < 3) answer(response, 429, statusErrors.tooManyRequests('busy', 1).status, { 'retry-after': '0' });
    else answer(response, 200, object);
  });
  const client = connect([server.url]);
  await client.update(configMaps, object);
  assert.equal(asked, 3);
  asked = 0;
  await assert.rejects(client.create(configMaps, object), (error) => isStatusReason(error, 'TooManyRequests'));
  assert.equal(asked, 1);
});

test('the next server takes over when one is away; the connection is shared', async () => {
  const first = await serve((_, response) => answer(response, 200, { ...object, data: { from: 'first' } }));
  const second = await serve((_, response) => answer(response, 200, { ...object, data: { from: 'second' } }));
  const client = connect([first.url, second.url]);
  const from = async (): Promise<string | undefined> => (await client.get(configMaps, 'a', 'ns')).data?.['from'];
  assert.deepEqual(await Promise.all([from(), from(), from()]), ['first', 'first', 'first']);
  assert.equal(first.connections, 1);
  await first.kill();
  assert.equal(await from(), 'second');
  await first.start();
  assert.equal(await from(), 'second');
  await second.kill();
  assert.equal(await from(), 'first');
  await first.kill();
  await assert.rejects(
    from(),
    (error) => error instanceof UnreachableError && /ECONNREFUSED.*; .*/.test(error.message),
  );
  await first.start();
  assert.equal(await from(), 'first');
});

test('a read whose connection breaks is sent again, a write is not', async () => {
  let asked = 0;
  const server = await serve((request, response) => {
    asked += 1;
    if (asked === 1) request.stream.session?.destroy();
    else answer(response, 200, object);
  });
  const client = connect([server.url]);
  await client.get(configMaps, 'a', 'ns');
  assert.equal(asked, 2);
  asked = 0;
  await assert.rejects(client.create(configMaps, object), UnreachableError);
  assert.equal(asked, 1);
});

test('another CA than the pinned one is refused', async () => {
  const other = await testPki();
  const server = await serve((_, response) => answer(response, 200, object));
  const client = connect([server.url], { ca: other.authority.certificate });
  await assert.rejects(client.get(configMaps, 'a', 'ns'), /cannot connect to .*: .*(signature|verify|self)/);
});

test('a request ends after its time, a closed client at once', async () => {
  const server = await serve(() => {});
  const client = connect([server.url], { requestTimeoutMs: 50 });
  await assert.rejects(client.get(configMaps, 'a', 'ns'), /no answer from .* within 0.05 s/);
  const abort = new AbortController();
  const other = connect([server.url], { signal: abort.signal });
  const waiting = assert.rejects(other.get(configMaps, 'a', 'ns'), UnreachableError);
  await delay(50);
  abort.abort();
  await waiting;
  await assert.rejects(other.get(configMaps, 'a', 'ns'), /closed/);
});

test('renewed certificates are used at once, also by watches; what is under way is finished', async () => {
  const held: Http2ServerResponse[] = [];
  const watchers: string[] = [];
  const server = await serve((request, response) => {
    if (request.url.includes('watch=true')) {
      watchers.push(peerName(request));
      beginStream(response);
    } else if (request.url.includes('slow')) held.push(response);
    else answer(response, 200, { ...object, data: { user: peerName(request) } });
  });
  const [old, renewed] = await Promise.all([pki.client('old'), pki.client('renewed')]);
  const client = connect([server.url], { credentials: { cert: old.certificate, key: old.key } });
  assert.equal((await client.get(configMaps, 'a', 'ns')).data?.['user'], 'old');
  client.informer(pods);
  const slow = client.get(configMaps, 'slow', 'ns');
  while (held.length === 0 || watchers.length === 0) await delay(5);
  client.setCredentials({ cert: renewed.certificate, key: renewed.key });
  assert.equal((await client.get(configMaps, 'a', 'ns')).data?.['user'], 'renewed');
  for (const response of held) answer(response, 200, object);
  assert.equal((await slow).metadata.name, 'a');
  while (watchers.length < 2) await delay(5);
  assert.deepEqual(watchers, ['old', 'renewed']);
});

test('many watches get further connections and leave room for requests', async () => {
  const server = await serve((request, response) => {
    if (request.url.includes('watch=true')) beginStream(response);
    else answer(response, 200, object);
  });
  const client = connect([server.url]);
  for (let count = 0; count < 120; count++) client.informer(pods, { fieldSelector: `spec.nodeName=n${count}` });
  assert.equal(
    client.informer(pods, { fieldSelector: 'spec.nodeName=n0' }),
    client.informer(pods, { fieldSelector: 'spec.nodeName=n0' }),
  );
  for (let looks = 0; looks < 500 && server.connections < 3; looks++) await delay(20);
  await client.get(configMaps, 'a', 'ns');
  assert.equal(server.connections, 3);
});

test('a server that is cut off without a word is noticed by pings', async () => {
  const server = await serve((request, response) => {
    if (request.url.includes('watch=true')) beginStream(response);
    else answer(response, 200, object);
  });
  // A relay that can stop passing anything on, as a pulled cable does.
  let cut = false;
  const sockets: Socket[] = [];
  const relay = createServer((near) => {
    const far = new URL(server.url);
    const onward = createConnection(Number(far.port), '127.0.0.1');
    sockets.push(near, onward);
    const before = cut;
    near.on('error', () => onward.destroy());
    onward.on('error', () => near.destroy());
    near.on('data', (chunk) => before === cut && onward.write(chunk));
    onward.on('data', (chunk) => before === cut && near.write(chunk));
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  const clock = new FakeClock();
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const client = connect([url], { clock });
  await client.get(configMaps, 'a', 'ns');
  cut = true;
  const waiting = client.get(configMaps, 'a', 'ns');
  await delay(20);
  await clock.advance(26_000);
  // The read goes over a new connection, which the relay passes on.
  assert.equal((await waiting).metadata.name, 'a');
  client.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => relay.close(resolve));
});
