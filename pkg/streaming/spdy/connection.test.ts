import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Duplex, duplexPair, Readable, Writable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { SpdyConnection, type SpdyConnectionOptions } from './connection.ts';
import { goAwayFrame, pingFrame, SpdyError, synStreamFrame } from './frames.ts';
import { HeaderEncoder } from './header-block.ts';
import type { SpdyStream } from './stream.ts';

function connect(
  onStream?: (stream: SpdyStream) => void,
  options: Partial<SpdyConnectionOptions> = {},
): { client: SpdyConnection; server: SpdyConnection } {
  const [a, b] = duplexPair();
  const client = new SpdyConnection(a, { role: 'client' });
  const server = new SpdyConnection(b, { role: 'server', ...(onStream ? { onStream } : {}), ...options });
  return { client, server };
}

/** A server over a pair whose other end the test writes raw bytes into. */
function rawPeer(options: Partial<SpdyConnectionOptions> = {}): {
  peer: Duplex;
  server: SpdyConnection;
  sent: Buffer[];
} {
  const [peer, b] = duplexPair();
  const sent: Buffer[] = [];
  peer.on('data', (chunk: Buffer) => sent.push(chunk));
  return { peer, server: new SpdyConnection(b, { role: 'server', onStream: (s) => s.resume(), ...options }), sent };
}

describe('SpdyConnection', () => {
  it('carries headers, data and half close both ways', async () => {
    const { client } = connect((stream) => {
      assert.equal(stream.headers.get('streamtype'), 'data');
      void text(stream).then((request) => stream.end(`you said ${request}`));
    });
    for (let i = 0; i < 20; i++) {
      const stream = client.createStream({ streamType: 'data', port: String(i) });
      stream.end(`hello ${i}`);
      assert.equal(await text(stream), `you said hello ${i}`);
    }
    await new Promise(setImmediate);
    assert.equal(client.streamCount, 0);
    client.close();
    assert.equal(await client.closed, undefined);
  });

  it('lets the server open streams as well', async () => {
    const [a, b] = duplexPair();
    const seen = Promise.withResolvers<SpdyStream>();
    new SpdyConnection(a, { role: 'client', onStream: seen.resolve });
    const server = new SpdyConnection(b, { role: 'server' });
    server.createStream({ name: 'push' }).end('from the server');
    const stream = await seen.promise;
    assert.equal(stream.id, 2);
    assert.equal(await text(stream), 'from the server');
  });

  it('echoes 16 MiB on four streams at once unharmed', async () => {
    const { client } = connect((stream) => void pipeline(stream, stream));
    const jobs = Array.from({ length: 4 }, async () => {
      const body = randomBytes(4 * 1024 * 1024);
      const stream = client.createStream({});
      const [back] = await Promise.all([buffer(stream), pipeline(Readable.from([body]), stream)]);
      assert.equal(createHash('sha256').update(back).digest('hex'), createHash('sha256').update(body).digest('hex'));
    });
    await Promise.all(jobs);
  });

  it('stops reading when a consumer is slow, and goes on when it reads', async () => {
    const opened = Promise.withResolvers<SpdyStream>();
    const { client } = connect(opened.resolve);
    const stream = client.createStream({});
    let written = 0;
    const total = 8 * 1024 * 1024;
    const piece = Buffer.alloc(64 * 1024, 'x');
    const source = new Readable({
      read() {
        written += piece.length;
        this.push(written > total ? null : piece);
      },
    });
    const sending = pipeline(source, stream);
    const receiver = await opened.promise;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(written < 2 * 1024 * 1024, `${written} bytes went into a stream nobody reads`);
    let received = 0;
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        received += chunk.length;
        done();
      },
    });
    await pipeline(receiver, sink);
    await sending;
    assert.equal(received, total);
  });

  it('keeps what was received readable when the peer resets the stream', async () => {
    const { client } = connect((stream) => {
      stream.write('last words');
      setImmediate(() => stream.destroy());
    });
    const stream = client.createStream({});
    await once(stream, 'abort');
    assert.equal(await text(stream), 'last words');
    assert.ok(stream.abortReason instanceof SpdyError);
    assert.equal(stream.abortReason.code, 'ERR_SPDY_RESET');
    // Writing on is harmless.
    stream.write('anyone?');
  });

  it('refuses streams beyond the limit and where nobody listens', async () => {
    const { client } = connect(() => {}, { maxStreams: 1 });
    const first = client.createStream({});
    const second = client.createStream({});
    await once(second, 'abort');
    assert.equal(first.abortReason, undefined);
    const deaf = connect();
    await once(deaf.client.createStream({}), 'abort');
  });

  it('aborts open streams when the transport is lost, without unhandled errors', async () => {
    const { client, server } = connect((stream) => void stream.write('x'));
    const stream = client.createStream({});
    await once(stream, 'readable');
    server.destroy();
    const reason = await client.closed;
    assert.ok(stream.abortReason instanceof SpdyError);
    assert.ok(reason === undefined || reason instanceof SpdyError);
    assert.equal(client.state, 'closed');
    assert.equal(client.signal.aborted, true);
    assert.throws(() => client.createStream({}), SpdyError);
  });

  it('answers the pings of the peer only', async () => {
    const { peer, sent } = rawPeer();
    peer.write(Buffer.concat([pingFrame(7), pingFrame(8), pingFrame(9)]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(Buffer.concat(sent), Buffer.concat([pingFrame(7), pingFrame(9)]));
  });

  it('closes when idle and not before', async () => {
    const clock = new FakeClock();
    const { peer, server } = rawPeer({ clock, idleTimeoutMs: 1000 });
    await clock.advance(900);
    peer.write(pingFrame(1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(900);
    assert.equal(server.state, 'open');
    await clock.advance(200);
    const reason = await server.closed;
    assert.ok(reason instanceof SpdyError);
    assert.equal(reason.code, 'ERR_SPDY_IDLE');
  });

  const syn = (id: number, encoder = new HeaderEncoder()): Buffer => synStreamFrame(id, encoder.encode({ a: 'b' }));
  const breaches: [name: string, bytes: Buffer][] = [
    ['text', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['version 2', Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0])],
    ['a control frame of 16 MiB', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
    ['data of a stream never opened', Buffer.from([0, 0, 0, 5, 0, 0, 0, 1, 0])],
    ['a stream id of ours', syn(2)],
    ['stream id 0', syn(0)],
    ['a stream id used twice', ((e) => Buffer.concat([syn(1, e), syn(1, e)]))(new HeaderEncoder())],
    ['headers that do not inflate', synStreamFrame(1, Buffer.from('not zlib at all'))],
    ['headers that end early', synStreamFrame(1, new HeaderEncoder().encode({ a: 'b' }).subarray(0, 14))],
    [
      'data behind FIN',
      Buffer.concat([synStreamFrame(1, new HeaderEncoder().encode({}), 1), Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 0])]),
    ],
  ];
  for (const [name, bytes] of breaches) {
    it(`answers ${name} with GOAWAY and closes`, async () => {
      const opened: SpdyStream[] = [];
      const { peer, server, sent } = rawPeer({ onStream: (stream) => opened.push(stream) });
      const ended = once(peer, 'end');
      peer.write(bytes);
      const reason = await server.closed;
      assert.ok(reason instanceof SpdyError, String(reason));
      assert.equal(reason.code, 'ERR_SPDY_PROTOCOL');
      await ended;
      const last = Buffer.concat(sent).subarray(-16);
      assert.deepEqual(last.subarray(0, 8), goAwayFrame(0, 1).subarray(0, 8));
    });
  }

  it('survives random and damaged bytes', async () => {
    // A fixed generator: the same bytes at every run.
    let seed = 12345;
    const random = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed / 0x80000000;
    };
    for (let round = 0; round < 150; round++) {
      const encoder = new HeaderEncoder();
      const good = Buffer.concat([
        synStreamFrame(1, encoder.encode({ streamtype: 'error' })),
        synStreamFrame(3, encoder.encode({ streamtype: 'data', port: '80' })),
        Buffer.from([0, 0, 0, 3, 0, 0, 0, 5]),
        Buffer.from('hello'),
        pingFrame(1),
      ]);
      const bytes = round % 3 === 0 ? Buffer.from(Array.from({ length: 200 }, () => random() * 256)) : good;
      for (let i = 0; i < 1 + (round % 4); i++) bytes[Math.floor(random() * bytes.length)] = random() * 256;
      const { peer, server } = rawPeer();
      for (let at = 0; at < bytes.length; ) {
        const step = 1 + Math.floor(random() * 40);
        peer.write(bytes.subarray(at, at + step));
        at += step;
      }
      peer.end();
      const reason = await server.closed;
      assert.ok(reason === undefined || reason instanceof SpdyError, String(reason));
    }
  });
});
