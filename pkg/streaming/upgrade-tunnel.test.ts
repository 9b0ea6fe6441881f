import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { headerTokens } from './upgrade.ts';
import { tunnelUpgrade } from './upgrade-tunnel.ts';

let front: Server;
let back: Server;
let frontUrl: string;
let backUrl: string;
let onUpgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
let tunnel: Promise<void>;
let stop: AbortController;

const accept =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\nX-Chosen: a\r\nX-Chosen: b\r\n\r\n';

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

before(async () => {
  back = createServer((_req, res) => res.writeHead(418, { 'X-Kind': 'teapot' }).end('no upgrades here'));
  back.on('upgrade', (req, socket, head) => {
    socket.on('error', () => {});
    onUpgrade(req, socket, head);
  });
  backUrl = await listen(back);
  front = createServer();
  front.on('upgrade', (req, socket, head) => {
    stop = new AbortController();
    tunnel = tunnelUpgrade(req, socket, head, {
      url: `${backUrl}${req.url}`,
      logger: silentLogger,
      signal: stop.signal,
    });
  });
  frontUrl = await listen(front);
});
after(() => {
  for (const server of [front, back]) {
    server.close();
    server.closeAllConnections();
  }
});

function ask(path: string, headers: Record<string, string | string[]> = {}): ReturnType<typeof request> {
  const req = request(`${frontUrl}${path}`, {
    method: 'POST',
    agent: false,
    headers: { Connection: 'Upgrade', Upgrade: 'x', ...headers },
  });
  req.end();
  return req;
}

describe('tunnelUpgrade', () => {
  it('passes on method, path and repeated headers, keeps credentials, relays the answer and the bytes', async () => {
    const seen = Promise.withResolvers<IncomingMessage>();
    onUpgrade = (req, socket) => {
      seen.resolve(req);
      socket.write(`${accept}first`);
      socket.pipe(socket);
    };
    const req = ask('/exec/a?b=c', {
      'X-Stream-Protocol-Version': ['v4', 'v3'],
      Authorization: 'Bearer secret',
      Cookie: 'a=b',
      'Impersonate-User': 'root',
      'Sec-WebSocket-Protocol': 'base64url.bearer.authorization.k8s.io.c2VjcmV0, v5.channel.k8s.io',
    });
    const [response, socket, head]: [IncomingMessage, Socket, Buffer] = (await once(req, 'upgrade')) as never;
    const inner = await seen.promise;
    assert.deepEqual([inner.method, inner.url], ['POST', '/exec/a?b=c']);
    assert.deepEqual(headerTokens(inner, 'x-stream-protocol-version'), ['v4', 'v3']);
    assert.deepEqual(headerTokens(inner, 'sec-websocket-protocol'), ['v5.channel.k8s.io']);
    assert.doesNotMatch(inner.rawHeaders.join(), /secret|Cookie|Impersonate/i);
    assert.equal(inner.headers.host, new URL(backUrl).host);
    assert.equal(response.headers['x-chosen'], 'a, b');
    socket.end(' and last');
    assert.equal(head.toString() + (await text(socket)), 'first and last');
    await tunnel;
  });

  it('passes other answers on as they are', async () => {
    onUpgrade = (_req, socket) => {
      socket.end('HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
    };
    const [response] = await once(ask('/'), 'response');
    assert.deepEqual([response.statusCode, response.headers['x-why'], await text(response)], [403, 'because', 'no']);
    await tunnel;
  });

  it('says that the backend cannot be reached', async () => {
    const working = backUrl;
    backUrl = 'http://127.0.0.1:1';
    const [response] = await once(ask('/'), 'response');
    backUrl = working;
    assert.equal(response.statusCode, 500);
    const status = JSON.parse(await text(response));
    assert.deepEqual([status.kind, status.code], ['Status', 500]);
    assert.match(status.message, /^error dialing backend: .*ECONNREFUSED/);
    await tunnel;
  });

  it('gives a slow client all that the backend said before it left', async () => {
    const body = 'y'.repeat(3_000_000);
    onUpgrade = (_req, socket) => socket.end(accept + body);
    const [, socket, head] = await once(ask('/'), 'upgrade');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal((head.toString() + (await text(socket))).length, body.length);
    await tunnel;
  });

  it('closes the one side when the other is gone, and both on abort', async () => {
    for (const way of ['client', 'backend', 'abort'] as const) {
      const inside = Promise.withResolvers<Duplex>();
      onUpgrade = (_req, socket) => {
        socket.write(accept);
        socket.resume();
        inside.resolve(socket);
      };
      const [, socket] = await once(ask('/'), 'upgrade');
      socket.on('error', () => {});
      socket.resume();
      const backend = await inside.promise;
      const closed = Promise.all([socket, backend].map((end) => once(end, 'close')));
      if (way === 'client') socket.destroy();
      else if (way === 'backend') backend.destroy();
      else stop.abort();
      // The surviving end of this test closes by itself when told so.
      backend.once('end', () => backend.end());
      await closed;
      await tunnel;
    }
  });

  it('gives up on the backend when the client leaves before the answer', async () => {
    const closed = Promise.withResolvers<void>();
    onUpgrade = (_req, socket) => {
      socket.resume().once('close', closed.resolve);
      socket.once('end', () => socket.end());
      req.destroy();
    };
    const req = ask('/');
    req.on('error', () => {});
    await closed.promise;
    await tunnel;
  });
});
