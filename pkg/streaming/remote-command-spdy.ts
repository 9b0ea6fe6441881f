import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { systemClock } from '../base/clock.ts';
import { type CommandSession, endStream, type ServeCommandOptions } from './command-session.ts';
import { encodeCommandStatus } from './command-status.ts';
import { SpdyConnection } from './spdy/connection.ts';
import type { SpdyStream } from './spdy/stream.ts';
import { acceptSpdy, LINGER_MS, STREAM_CREATION_TIMEOUT_MS, STREAM_IDLE_TIMEOUT_MS } from './upgrade.ts';

/** Stream protocols of exec and attach over SPDY; v5 exists over websocket only, as upstream. */
const PROTOCOLS = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const;
const STREAM_TYPES = ['stdin', 'stdout', 'stderr', 'error', 'resize'] as const;
type StreamType = (typeof STREAM_TYPES)[number];

/**
 * Accepts a remote command over SPDY/3.1 and waits (30 s at most) for the client to open its streams. Returns undefined
 * when the request was refused or the client did not do its part.
 */
export async function openSpdyCommand(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ServeCommandOptions,
): Promise<CommandSession | undefined> {
  const protocol = acceptSpdy(req, socket, PROTOCOLS);
  if (protocol === undefined) return undefined;
  const clock = options.clock ?? systemClock;
  const canResize = protocol === 'v4.channel.k8s.io' || protocol === 'v3.channel.k8s.io';
  const expected = STREAM_TYPES.filter(
    (type) => type === 'error' || (type === 'resize' ? options.tty && canResize : options[type]),
  );
  const streams = new Map<StreamType, SpdyStream>();
  const complete = Promise.withResolvers<void>();
  const connection = new SpdyConnection(
    socket,
    {
      role: 'server',
      clock,
      idleTimeoutMs: options.idleTimeoutMs ?? STREAM_IDLE_TIMEOUT_MS,
      probeWhilePaused: true,
      onStream(stream) {
        const name = stream.headers.get('streamtype');
        const type = STREAM_TYPES.find((candidate) => candidate === name);
        if (type === undefined || streams.has(type)) {
          options.logger.debug('refused a stream of a remote command', { streamType: name });
          stream.destroy();
          return;
        }
        streams.set(type, stream);
        if (type !== 'stdin' && type !== 'resize') stream.resume();
        if (expected.every((one) => streams.has(one))) complete.resolve();
      },
    },
    head,
  );
  const cancel = clock.setTimeout(
    () => connection.destroy(new Error('timed out waiting for client to create streams')),
    STREAM_CREATION_TIMEOUT_MS,
  );
  await Promise.race([complete.promise, connection.closed]);
  cancel();
  const errorStream = streams.get('error');
  if (connection.state !== 'open' || errorStream === undefined) {
    options.logger.debug('client left before it had opened all streams', { expected: expected.join(' ') });
    return undefined;
  }
  const wanted = (type: StreamType): SpdyStream | undefined =>
    expected.includes(type) ? streams.get(type) : undefined;
  const stdout = wanted('stdout');
  const stderr = wanted('stderr');
  return {
    streams: { stdin: wanted('stdin'), stdout, stderr, resize: wanted('resize'), signal: connection.signal },
    async finish(status) {
      // Input that still comes is nobody's any more; unread it would keep the client's end from being seen.
      streams.get('stdin')?.resume();
      streams.get('resize')?.resume();
      if (stdout !== undefined) await endStream(stdout, undefined);
      if (stderr !== undefined) await endStream(stderr, undefined);
      await endStream(errorStream, encodeCommandStatus(status, protocol === 'v4.channel.k8s.io'));
      // Clients hang up when they have read the status; closing first could overtake it in some of them.
      const cancelLinger = clock.setTimeout(() => connection.close(), LINGER_MS);
      await connection.closed;
      cancelLinger();
    },
  };
}
