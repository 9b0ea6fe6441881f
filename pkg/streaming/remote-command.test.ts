import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { FakeClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import type { RemoteCommandStreams, ServeCommandOptions } from './command-session.ts';
import { COMMAND_SUCCEEDED, type CommandStatus, exitCodeOf, exitedWith, parseCommandStatus } from './command-status.ts';
import { runRuntimeCommand } from './cri-client.ts';
import { serveRemoteCommand } from './remote-command.ts';
import { SpdyConnection } from './spdy/connection.ts';

let server: Server;
let url: string;
/** What the server does with the next session. */
let run: (streams: RemoteCommandStreams) => Promise<CommandStatus>;
let options: ServeCommandOptions;
let session: Promise<void>;

/** Answers with what came in, and exits with 3. */
async function shout({ stdin, stdout, stderr }: RemoteCommandStreams): Promise<CommandStatus> {
  const said = stdin === undefined ? '' : await text(stdin);
  stdout?.write(said.toUpperCase());
  stderr?.write('to err');
  return exitedWith(3, 'exit code 3');
}

before(async () => {
  server = createServer();
  server.on('upgrade', (req, socket, head) => {
    session = serveRemoteCommand(req, socket, head, options, (streams) => run(streams));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
after(() => server.close());

function prepare(
  action: (streams: RemoteCommandStreams) => Promise<CommandStatus>,
  more: Partial<ServeCommandOptions> = {},
): void {
  run = action;
  options = { stdin: true, stdout: true, stderr: true, tty: false, logger: silentLogger, ...more };
}

interface Talk {
  protocol: string;
  channels: Map<number, string>;
  code: number;
}

/** Plays a websocket client that sends `messages` and collects what each channel says. */
async function talk(protocols: string[], messages: (string | Buffer)[]): Promise<Talk> {
  const ws = new WebSocket(url, protocols);
  const channels = new Map<number, string>();
  ws.on('message', (data: Buffer, binary) => {
    const id = binary ? (data[0] ?? -1) : Number(data.toString()[0]);
    const body = binary ? data.subarray(1).toString() : Buffer.from(data.toString().slice(1), 'base64').toString();
    channels.set(id, (channels.get(id) ?? '') + body);
  });
  await once(ws, 'open');
  for (const message of messages) ws.send(message);
  const [code] = await once(ws, 'close');
  await session;
  return { protocol: ws.protocol, channels, code };
}

const binary = (channel: number, body: string): Buffer => Buffer.concat([Buffer.from([channel]), Buffer.from(body)]);

describe('serveRemoteCommand over websocket', () => {
  it('v5: the close signal ends the input', async () => {
    prepare(shout);
    const { protocol, channels, code } = await talk(
      ['v5.channel.k8s.io'],
      [binary(0, 'hel'), binary(0, 'lo'), Buffer.from([255, 0])],
    );
    assert.deepEqual(
      [protocol, code, channels.get(1), channels.get(2)],
      ['v5.channel.k8s.io', 1000, 'HELLO', 'to err'],
    );
    assert.equal(exitCodeOf(parseCommandStatus(channels.get(3) ?? '')), 3);
  });

  it('announces itself by an empty message on the lowest channel it writes', async () => {
    prepare(async () => COMMAND_SUCCEEDED, { stdout: false });
    const { channels } = await talk(['v4.channel.k8s.io'], []);
    assert.deepEqual(
      [...channels],
      [
        [2, ''],
        [3, '{"metadata":{},"status":"Success"}'],
      ],
    );
  });

  it('before v4 the error channel carries text, and only of failures', async () => {
    prepare(async () => COMMAND_SUCCEEDED);
    for (const protocols of [[], ['channel.k8s.io']]) {
      const { channels } = await talk(protocols, []);
      assert.equal(channels.get(3) ?? '', '');
    }
    prepare(async () => exitedWith(3, 'exit code 3'));
    const { channels } = await talk(['channel.k8s.io'], []);
    assert.equal(channels.get(3), 'command terminated with non-zero exit code: exit code 3');
  });

  it('base64', async () => {
    prepare(async ({ stdin, stdout }) => {
      stdout?.write(`got ${(await stdin?.iterator().next())?.value}`);
      return COMMAND_SUCCEEDED;
    });
    const input = `0${Buffer.from('ping').toString('base64')}`;
    const { protocol, channels } = await talk(['v4.base64.channel.k8s.io', 'v4.channel.k8s.io'], [input]);
    assert.equal(protocol, 'v4.base64.channel.k8s.io');
    assert.equal(channels.get(1), 'got ping');
  });

  it('passes the terminal sizes on and drops what comes on other channels', async () => {
    prepare(
      async ({ stdin, stdout, resize }) => {
        const size = (await resize?.iterator().next())?.value;
        stdout?.write(`${size} ${(await stdin?.iterator().next())?.value}`);
        return COMMAND_SUCCEEDED;
      },
      { tty: true, stderr: false },
    );
    const { channels } = await talk(
      ['v5.channel.k8s.io'],
      [
        binary(1, 'nonsense'),
        binary(9, 'nonsense'),
        Buffer.alloc(0),
        binary(4, '{"Width":80,"Height":24}'),
        binary(0, 'x'),
      ],
    );
    assert.equal(channels.get(1), '{"Width":80,"Height":24} x');
  });

  it('refuses subprotocols it does not know with 403', async () => {
    prepare(shout);
    const ws = new WebSocket(url, ['v9.channel.k8s.io']);
    const [error] = await once(ws, 'error');
    assert.match(String(error), /403/);
  });

  it('ends the input and aborts when the client vanishes', async () => {
    const gone = Promise.withResolvers<string>();
    prepare(async ({ stdin, signal }) => {
      const said = stdin === undefined ? '' : await text(stdin);
      if (!signal.aborted) await once(signal, 'abort');
      gone.resolve(said);
      return COMMAND_SUCCEEDED;
    });
    const ws = new WebSocket(url, ['v5.channel.k8s.io']);
    await once(ws, 'open');
    ws.send(binary(0, 'last'), () => ws.terminate());
    assert.equal(await gone.promise, 'last');
    await session;
  });

  it('reads on after its buffer was full', async () => {
    prepare(async ({ stdin, stdout }) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      let size = 0;
      for await (const chunk of stdin ?? []) size += chunk.length;
      stdout?.write(String(size));
      return COMMAND_SUCCEEDED;
    });
    // The sizes put the level of the buffer right at its bounds.
    const messages = Array.from({ length: 200 }, (_, i) => binary(0, 'x'.repeat(32 * 1024 - (i % 3))));
    const total = messages.reduce((sum, message) => sum + message.length - 1, 0);
    const { channels } = await talk(['v5.channel.k8s.io'], [...messages, Buffer.from([255, 0])]);
    assert.equal(channels.get(1), String(total));
  });

  it('drops a session in which nothing happens', async () => {
    const clock = new FakeClock();
    prepare(
      async ({ signal }) => {
        await once(signal, 'abort');
        return COMMAND_SUCCEEDED;
      },
      { clock, idleTimeoutMs: 1000 },
    );
    const ws = new WebSocket(url, ['v5.channel.k8s.io']);
    await once(ws, 'open');
    const closed = once(ws, 'close');
    await clock.advance(1100);
    await closed;
    await session;
  });
});

describe('serveRemoteCommand over SPDY', () => {
  const dial = async (headers: Record<string, string | string[]>): Promise<SpdyConnection> => {
    const req = request(url, {
      method: 'POST',
      agent: false,
      headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', ...headers },
    });
    req.end();
    const [, socket, head] = await once(req, 'upgrade');
    return new SpdyConnection(socket, { role: 'client' }, head);
  };

  it('joins with the client of the container runtime', async () => {
    prepare(shout);
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    stdin.end('quiet');
    const { signal } = new AbortController();
    const status = await runRuntimeCommand(url, options, { stdin, stdout, stderr, resize: undefined, signal });
    assert.equal(exitCodeOf(status), 3);
    assert.deepEqual([await text(stdout), await text(stderr)], ['QUIET', 'to err']);
    await session;
  });

  it('tells a rejection as an internal error', async () => {
    prepare(() => Promise.reject(new Error('no such container')));
    const streams = { stdin: undefined, stdout: undefined, stderr: undefined, resize: undefined };
    const status = await runRuntimeCommand(url, options, { ...streams, signal: new AbortController().signal });
    assert.equal(status.reason, 'InternalError');
    assert.equal(status.message, 'Internal error occurred: error executing command in container: no such container');
    await session;
  });

  it('negotiates the first protocol of the client that it knows, over several header lines', async () => {
    prepare(shout);
    const req = request(url, {
      method: 'POST',
      agent: false,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'SPDY/3.1',
        'X-Stream-Protocol-Version': ['v5.channel.k8s.io', 'v3.channel.k8s.io', 'v4.channel.k8s.io'],
      },
    });
    req.end();
    const [response, socket] = await once(req, 'upgrade');
    assert.equal(response.headers['x-stream-protocol-version'], 'v3.channel.k8s.io');
    socket.destroy();
    await session;
  });

  it('refuses what it cannot serve as upstream does', async () => {
    prepare(shout);
    const refused = async (headers: Record<string, string>): Promise<[number | undefined, string]> => {
      const req = request(url, { method: 'POST', agent: false, headers: { Connection: 'Upgrade', ...headers } });
      req.end();
      const [response] = await once(req, 'response');
      return [response.statusCode, await text(response)];
    };
    assert.deepEqual((await refused({ Upgrade: 'h2c' }))[0], 400);
    assert.deepEqual((await refused({ Upgrade: 'SPDY/3.1' }))[0], 400);
    assert.deepEqual(await refused({ Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v9' }), [
      403,
      'unable to upgrade: unable to negotiate protocol: client supports [v9], server accepts [v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]\n',
    ]);
  });

  it('refuses a session without any stream', async () => {
    prepare(shout, { stdin: false, stdout: false, stderr: false });
    const streams = { stdin: undefined, stdout: undefined, stderr: undefined, resize: undefined };
    await assert.rejects(
      runRuntimeCommand(url, options, { ...streams, signal: new AbortController().signal }),
      /answered 400: you must specify at least 1 of stdin, stdout, stderr/,
    );
  });

  it('waits 30 s for the streams, not longer', async () => {
    const clock = new FakeClock();
    prepare(shout, { clock });
    const connection = await dial({ 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' });
    connection.createStream({ streamType: 'error' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(connection.state, 'open');
    await clock.advance(30_000);
    await connection.closed;
    await session;
  });

  it('resets streams nobody asked for', async () => {
    prepare(shout);
    const connection = await dial({ 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' });
    const odd = connection.createStream({ streamType: 'odd' });
    await once(odd, 'abort');
    const first = connection.createStream({ streamType: 'stdin' });
    const again = connection.createStream({ streamType: 'stdin' });
    await once(again, 'abort');
    assert.equal(first.abortReason, undefined);
    connection.destroy();
    await session;
  });

  it('says that the runtime was lost before the command ended', async () => {
    prepare(({ signal }) => once(signal, 'abort').then(() => COMMAND_SUCCEEDED));
    const [victim] = await Promise.all([
      once(server, 'connection'),
      assert.rejects(
        runRuntimeCommand(url, options, {
          stdin: undefined,
          stdout: undefined,
          stderr: undefined,
          resize: undefined,
          signal: new AbortController().signal,
        }),
        /lost before the command ended/,
      ),
      once(server, 'connection').then(([socket]) => setTimeout(() => socket.destroy(), 50)),
    ]);
    assert.ok(victim);
    await session;
  });

  it('survives a client that sends rubbish behind the upgrade', async () => {
    prepare(shout);
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nContent-Length: 0\r\n\r\nrubbish, rubbish, rubbish',
    );
    await once(socket.resume(), 'close');
    await session;
  });
});
