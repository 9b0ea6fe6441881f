import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createWebSocketStream } from 'ws';
import { type Clock, systemClock } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import { endStream } from './command-session.ts';
import { StreamPairs } from './port-forward-pairs.ts';
import { SpdyConnection } from './spdy/connection.ts';
import { acceptSpdy, LINGER_MS, STREAM_IDLE_TIMEOUT_MS } from './upgrade.ts';
import { acceptWebSocket, REMOTE_COMMAND_PROTOCOLS, wantsWebSocket } from './websocket.ts';
import { WebSocketChannels } from './websocket-channels.ts';

export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
/** Websocket subprotocol whose binary messages carry the bytes of a SPDY/3.1 connection (kubectl since 1.31). */
const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';
/** Subprotocols with one pair of channels for each port of the query. */
const CHANNEL_PROTOCOLS = ['', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];

/** One connection into the Pod. */
export interface PortConnection {
  readonly data: Duplex;
  /** Resolves when the connection is done: '' if it went well, else what to tell the client. Never rejects. */
  readonly failure: Promise<string>;
  /** Drops the connection. */
  destroy(): void;
}

/** Where forwarded connections go; one for each client. */
export interface PortForwardTarget {
  /** Opens a connection to `port` in the Pod. May throw. */
  connect(port: number): PortConnection;
  close(): void;
  /** Aborts when the target can take no more connections. */
  readonly signal: AbortSignal;
}

export interface ServePortForwardOptions {
  logger: Logger;
  /** Ports of the query; only websocket clients that do not tunnel SPDY name them there. */
  ports?: readonly number[];
  /** The session is dropped when nothing is sent either way for this long; default 4 h. */
  idleTimeoutMs?: number;
  clock?: Clock;
}

/**
 * Serves one port-forward request on an upgraded connection: SPDY/3.1, SPDY/3.1 within a websocket, or the older
 * websocket channels. `dial` is called once, its `signal` aborts when the client is gone. Resolves when the connection is
 * closed and everything freed; never rejects. Upstream: k8s.io/kubelet/pkg/cri/streaming/portforward.
 */
export async function servePortForward(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ServePortForwardOptions,
  dial: (signal: AbortSignal) => Promise<PortForwardTarget>,
): Promise<void> {
  try {
    if (!wantsWebSocket(req)) {
      if (acceptSpdy(req, socket, [PORT_FORWARD_PROTOCOL]) === undefined) return;
      await serveSpdy(socket, head, options, dial);
      return;
    }
    const ports = options.ports ?? [];
    const supported = ports.length === 0 ? [TUNNEL_PROTOCOL] : [TUNNEL_PROTOCOL, ...CHANNEL_PROTOCOLS];
    const accepted = await acceptWebSocket(req, socket, head, supported);
    if (accepted === undefined) return;
    if (accepted.protocol === TUNNEL_PROTOCOL) {
      const tunnel = createWebSocketStream(accepted.ws);
      await serveSpdy(tunnel, Buffer.alloc(0), options, dial);
      return;
    }
    const channels = new WebSocketChannels(accepted.ws, {
      base64: REMOTE_COMMAND_PROTOCOLS.get(accepted.protocol)?.base64 === true,
      closeSignal: false,
      idleTimeoutMs: options.idleTimeoutMs ?? STREAM_IDLE_TIMEOUT_MS,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    });
    await serveChannels(channels, ports, options.logger, options.clock ?? systemClock, dial);
  } catch (error) {
    options.logger.warn('port forwarding failed', { error: errorText(error) });
    socket.destroy();
  }
}

async function serveSpdy(
  transport: Duplex,
  head: Buffer,
  options: ServePortForwardOptions,
  dial: (signal: AbortSignal) => Promise<PortForwardTarget>,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  const dialled = Promise.withResolvers<PortForwardTarget>();
  // Whoever waits for the target hears of its failure; it may be that nobody waits.
  dialled.promise.catch(() => {});
  const pairs = new StreamPairs(clock, (port, data, errors) => forward(port, data, errors, dialled.promise, clock));
  const connection = new SpdyConnection(
    transport,
    {
      role: 'server',
      clock,
      idleTimeoutMs: options.idleTimeoutMs ?? STREAM_IDLE_TIMEOUT_MS,
      probeWhilePaused: true,
      onStream: (stream) => pairs.add(stream),
    },
    head,
  );
  try {
    const target = await dial(connection.signal);
    dialled.resolve(target);
    const lost = (): void => connection.close();
    target.signal.addEventListener('abort', lost, { once: true });
    if (target.signal.aborted) lost();
    await connection.closed;
    target.signal.removeEventListener('abort', lost);
    target.close();
  } catch (error) {
    dialled.reject(error);
    if (!connection.signal.aborted) options.logger.warn('port forwarding failed', { error: errorText(error) });
    connection.close();
    await connection.closed;
  } finally {
    pairs.close();
  }
}

/** Joins a client's pair of streams with a connection into the Pod until both directions are done. Never rejects. */
async function forward(
  port: number,
  data: Duplex,
  errors: Duplex,
  dialled: Promise<PortForwardTarget>,
  clock: Clock,
): Promise<void> {
  let inside: PortConnection;
  try {
    inside = (await dialled).connect(port);
  } catch (error) {
    data.destroy();
    await endStream(errors, `error forwarding port ${port}: ${errorText(error)}`);
    return;
  }
  // A reset is passed on as a reset, so that a cut connection does not look complete at the other end. Only the data is
  // cut: kubectl resets its stream as soon as the Pod's side has ended, when what went wrong may still be under way.
  const cut = (): void => void inside.data.destroy();
  data.once('abort', cut);
  if (isAborted(data)) cut();
  const outward = async (): Promise<void> => {
    await pipeline(inside.data, data, { end: false });
    if (isAborted(inside.data)) data.destroy();
    else data.end();
  };
  // When either way fails both ends have been destroyed; what went wrong inside is told by `failure`.
  await Promise.allSettled([pipeline(data, inside.data), outward()]);
  const cancel = clock.setTimeout(() => inside.destroy(), LINGER_MS);
  const failure = await inside.failure;
  cancel();
  await endStream(errors, failure === '' ? undefined : failure);
}

function isAborted(stream: Duplex): boolean {
  return 'abortReason' in stream && stream.abortReason !== undefined;
}

async function serveChannels(
  channels: WebSocketChannels,
  ports: readonly number[],
  logger: Logger,
  clock: Clock,
  dial: (signal: AbortSignal) => Promise<PortForwardTarget>,
): Promise<void> {
  let target: PortForwardTarget | undefined;
  try {
    // The client is told which port a channel belongs to before anything else is sent on it.
    const opened = ports.map((port, i) => {
      const data = channels.open(2 * i, true);
      const errors = channels.open(2 * i + 1, false);
      const prefix = Buffer.alloc(2);
      prefix.writeUInt16LE(port);
      data.write(prefix);
      errors.write(prefix);
      return { port, data, errors };
    });
    const dialled = dial(channels.signal);
    await Promise.all(opened.map(({ port, data, errors }) => forward(port, data, errors, dialled, clock)));
    target = await dialled;
  } catch (error) {
    if (!channels.signal.aborted) logger.warn('port forwarding failed', { error: errorText(error) });
  } finally {
    target?.close();
    await channels.close();
  }
}
