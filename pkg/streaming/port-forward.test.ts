import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { type Clock, FakeClock, systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { dialRuntimePortForward } from './cri-client.ts';
import { type PortConnection, type PortForwardTarget, servePortForward } from './port-forward.ts';
import { SpdyConnection } from './spdy/connection.ts';

let server: Server;
let url: string;
let connectTo: (port: number) => PortConnection;
let clock: Clock = systemClock;
let ports: number[] = [];
let session: Promise<void>;
let targets: AbortController[] = [];

/** A connection into the Pod that answers `<port>:<what came>` once the input has ended. */
function answering(port: number): PortConnection {
  const input = new PassThrough();
  const output = new PassThrough();
  void text(input).then((said) => output.end(`${port}:${said}`));
  const data = Duplex.from({ writable: input, readable: output });
  return { data, failure: Promise.resolve(''), destroy: () => data.destroy() };
}

async function dialTarget(): Promise<PortForwardTarget> {
  const lost = new AbortController();
  targets.push(lost);
  return { connect: (port) => connectTo(port), close: () => lost.abort(), signal: lost.signal };
}

before(async () => {
  server = createServer();
  server.on('upgrade', (req, socket, head) => {
    session = servePortForward(req, socket, head, { logger: silentLogger, ports, clock }, dialTarget);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
after(() => server.close());

async function dial(): Promise<SpdyConnection> {
  targets = [];
  const headers = { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'portforward.k8s.io' };
  const req = request(url, { method: 'POST', agent: false, headers });
  req.end();
  const [, socket, head] = await once(req, 'upgrade');
  return new SpdyConnection(socket, { role: 'client' }, head);
}

/** The client's end of a websocket that carries bytes in binary messages; `ws` cannot name this subprotocol. */
function tunnelClient(socket: Duplex, head: Buffer): Duplex {
  let input = head;
  const tunnel = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      const header = Buffer.alloc(14);
      header.writeUInt16BE(0x82ff);
      header.writeUInt32BE(chunk.length, 6);
      // The mask is four zeros.
      socket.write(Buffer.concat([header, chunk]), done);
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  const take = (chunk: Buffer): void => {
    input = Buffer.concat([input, chunk]);
    for (;;) {
      if (input.length < 4) return;
      const short = (input[1] ?? 0) & 0x7f;
      const start = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (input.length < start) return;
      const length = short === 127 ? input.readUInt32BE(6) : short === 126 ? input.readUInt16BE(2) : short;
      if (input.length < start + length) return;
      if (((input[0] ?? 0) & 0x0f) === 2) tunnel.push(input.subarray(start, start + length));
      else tunnel.push(null);
      input = input.subarray(start + length);
    }
  };
  take(Buffer.alloc(0));
  socket.on('data', take);
  socket.on('error', () => {});
  socket.once('close', () => tunnel.destroy());
  return tunnel;
}

describe('servePortForward', () => {
  it('carries many connections to several ports, half closes included', async () => {
    connectTo = answering;
    const target = await dialRuntimePortForward(url, new AbortController().signal);
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const { data, failure } = target.connect(8000 + i);
        data.end(`hello ${i}`);
        return `${await text(data)}${await failure}`;
      }),
    );
    assert.deepEqual(
      answers,
      Array.from({ length: 50 }, (_, i) => `${8000 + i}:hello ${i}`),
    );
    target.close();
    await session;
  });

  it('takes a data stream that comes first, and streams without a request id', async () => {
    connectTo = answering;
    const connection = await dial();
    const data = connection.createStream({ streamType: 'data', port: '80', requestID: '7' });
    connection.createStream({ streamType: 'error', port: '80', requestID: '7' });
    data.end('a');
    assert.equal(await text(data), '80:a');
    connection.createStream({ streamType: 'error', port: '81' });
    const old = connection.createStream({ streamType: 'data', port: '81' });
    old.end('b');
    assert.equal(await text(old), '81:b');
    connection.close();
    await session;
  });

  it('tells on the error stream why a connection failed, and the session goes on', async () => {
    connectTo = (port) => {
      if (port === 1) throw new Error('nobody is there');
      return { ...answering(port), failure: Promise.resolve('it broke') };
    };
    const connection = await dial();
    const open = (port: string): [Duplex, Duplex] => [
      connection.createStream({ streamType: 'error', port, requestID: port }),
      connection.createStream({ streamType: 'data', port, requestID: port }),
    ];
    const [refusedError, refusedData] = open('1');
    assert.equal(await text(refusedError), 'error forwarding port 1: nobody is there');
    assert.equal(await text(refusedData), '');
    const [brokenError, brokenData] = open('2');
    brokenData.end();
    assert.equal(await text(brokenData), '2:');
    assert.equal(await text(brokenError), 'it broke');
    connection.close();
    await session;
  });

  it('passes a reset on, and still tells what went wrong', async () => {
    const cut = Promise.withResolvers<void>();
    connectTo = () => {
      const data = new PassThrough();
      data.once('close', cut.resolve);
      return { data, failure: cut.promise.then(() => 'it was refused'), destroy: () => data.destroy() };
    };
    const connection = await dial();
    const errors = connection.createStream({ streamType: 'error', port: '80', requestID: '1' });
    const data = connection.createStream({ streamType: 'data', port: '80', requestID: '1' });
    data.write('half a requ');
    await new Promise((resolve) => setTimeout(resolve, 20));
    data.destroy();
    await cut.promise;
    assert.equal(await text(errors), 'it was refused');
    connection.destroy();
    await session;
  });

  it('resets streams that make no sense, and halves whose other half does not come', async () => {
    const fake = new FakeClock();
    clock = fake;
    const connection = await dial();
    clock = systemClock;
    for (const headers of [
      {},
      { streamType: 'data', port: '0' },
      { streamType: 'data', port: 'x' },
      { streamType: 'stdin', port: '80' },
    ]) {
      const stream = connection.createStream({ ...headers });
      await once(stream, 'abort');
    }
    const half = connection.createStream({ streamType: 'data', port: '80', requestID: '1' });
    const twice = connection.createStream({ streamType: 'data', port: '80', requestID: '1' });
    await once(twice, 'abort');
    assert.equal(half.abortReason, undefined);
    const reset = once(half, 'abort');
    await fake.advance(30_000);
    await reset;
    assert.equal(half.abortReason === undefined, false);
    connection.destroy();
    await session;
  });

  it('ends the session when the Pod can no longer be reached', async () => {
    connectTo = answering;
    const connection = await dial();
    await new Promise((resolve) => setTimeout(resolve, 20));
    targets[0]?.abort();
    await connection.closed;
    await session;
  });

  it('speaks SPDY within a websocket', async () => {
    connectTo = answering;
    const [response, socket, head] = await once(
      request(url, {
        agent: false,
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
          'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io',
        },
      }).end(),
      'upgrade',
    );
    assert.equal(response.headers['sec-websocket-protocol'], 'SPDY/3.1+portforward.k8s.io');
    const connection = new SpdyConnection(tunnelClient(socket, head), { role: 'client' });
    connection.createStream({ streamType: 'error', port: '80', requestID: '1' });
    const data = connection.createStream({ streamType: 'data', port: '80', requestID: '1' });
    const body = 'x'.repeat(1_000_000);
    data.end(body);
    assert.equal(await text(data), `80:${body}`);
    connection.destroy();
    await session;
  });

  it('speaks the older websocket channels, two for each port of the query', async () => {
    connectTo = (port) => {
      const data = new PassThrough();
      return { data, failure: Promise.resolve(port === 81 ? 'no' : ''), destroy: () => data.destroy() };
    };
    ports = [80, 81];
    const ws = new WebSocket(url, ['v4.channel.k8s.io']);
    const said = ['', '', '', ''];
    const echoed = new Promise<void>((resolve) => {
      ws.on('message', (data: Buffer) => {
        const id = data[0] ?? 9;
        said[id] += data.subarray(1).toString('latin1');
        if (said[0] === 'P\0ping' && said[2] === 'Q\0pong') resolve();
      });
    });
    await once(ws, 'open');
    ws.send(Buffer.from('\0ping', 'latin1'));
    ws.send(Buffer.from('\x02pong', 'latin1'));
    await echoed;
    assert.deepEqual([said[1], said[3]], ['P\0', 'Q\0']);
    ws.close();
    await session;
    ports = [];
  });

  it('refuses websockets it does not know', async () => {
    const ws = new WebSocket(url, ['v4.channel.k8s.io']);
    const [error] = await once(ws, 'error');
    assert.match(String(error), /403/, 'channels without ports in the query');
  });
});
