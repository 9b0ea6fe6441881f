import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { ApiServerProcess } from './api-server.ts';

const PATH = '/api/v1/namespaces/default/configmaps';

interface Watched {
  readonly type: string;
  readonly object: { readonly metadata: { readonly name: string } };
}

/** Browsers watch by websockets: they can do nothing else with an answer that goes on. */
describe('watches through websockets', () => {
  let server: ApiServerProcess;
  before(async () => {
    server = await ApiServerProcess.start();
  });
  after(() => server.stop());

  const open = (query: string, headers: Record<string, string> = {}): WebSocket => {
    const { ca, cert, key } = server.tls;
    const tls = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
    return new WebSocket(`${server.url.replace(/^https/, 'wss')}${PATH}?${query}`, { ...tls, headers });
  };
  const create = async (name: string): Promise<void> => {
    const body = JSON.stringify({ metadata: { name } });
    const headers = { 'content-type': 'application/json' };
    const { status, text } = await server.send({ method: 'POST', path: PATH, headers, body });
    assert.equal(status, 201, text);
  };

  test('each event is a message; the end of the watch is the end of the connection', async () => {
    const socket = open('watch=true&resourceVersion=0&timeoutSeconds=5&fieldSelector=metadata.name!=kube-root-ca.crt');
    const events: string[] = [];
    socket.on('message', (data, isBinary) => {
      assert.equal(isBinary, false);
      const { type, object } = JSON.parse(String(data)) as Watched;
      events.push(`${type} ${object.metadata.name}`);
    });
    const closed = once(socket, 'close');
    await once(socket, 'open');
    await create('one');
    await create('two');
    assert.deepEqual((await closed)[0], 1000);
    assert.deepEqual(events, ['ADDED one', 'ADDED two']);
  });

  test('in protobuf messages are binary, without a length before them', async () => {
    const socket = open('watch=true&resourceVersion=0', { accept: 'application/vnd.kubernetes.protobuf;stream=watch' });
    const [data, isBinary] = await once(socket, 'message');
    assert.equal(isBinary, true);
    // The first field of WatchEvent: its type, of five letters.
    assert.equal(String((data as Buffer).subarray(0, 7)), '\n\x05ADDED');
    socket.terminate();
  });

  test('what is refused is answered as HTTP', async () => {
    const socket = open('watch=true&labelSelector=a,,');
    const [, response] = await once(socket, 'unexpected-response');
    assert.equal(response.statusCode, 400);
    socket.on('error', () => {});
    socket.terminate();
  });
});
