import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type CommandSession, endStream, type ServeCommandOptions } from './command-session.ts';
import { encodeCommandStatus } from './command-status.ts';
import { STREAM_IDLE_TIMEOUT_MS } from './upgrade.ts';
import { acceptWebSocket, REMOTE_COMMAND_PROTOCOLS } from './websocket.ts';
import { WebSocketChannels } from './websocket-channels.ts';

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** Accepts a remote command over a websocket. Returns undefined when the request was refused. */
export async function openWebSocketCommand(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ServeCommandOptions,
): Promise<CommandSession | undefined> {
  const accepted = await acceptWebSocket(req, socket, head, [...REMOTE_COMMAND_PROTOCOLS.keys()]);
  const protocol = REMOTE_COMMAND_PROTOCOLS.get(accepted?.protocol ?? '');
  if (accepted === undefined || protocol === undefined) return undefined;
  const channels = new WebSocketChannels(accepted.ws, {
    base64: protocol.base64,
    closeSignal: protocol.closeSignal,
    idleTimeoutMs: options.idleTimeoutMs ?? STREAM_IDLE_TIMEOUT_MS,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const stdin = options.stdin ? channels.open(CHANNEL.stdin, true) : undefined;
  const stdout = options.stdout ? channels.open(CHANNEL.stdout, false) : undefined;
  const stderr = options.stderr ? channels.open(CHANNEL.stderr, false) : undefined;
  const resize = options.tty ? channels.open(CHANNEL.resize, true) : undefined;
  const error = channels.open(CHANNEL.error, false);
  channels.announce(options.stdout ? CHANNEL.stdout : options.stderr ? CHANNEL.stderr : CHANNEL.error);
  return {
    streams: { stdin, stdout, stderr, resize, signal: channels.signal },
    async finish(status) {
      if (stdout !== undefined) await endStream(stdout, undefined);
      if (stderr !== undefined) await endStream(stderr, undefined);
      await endStream(error, encodeCommandStatus(status, protocol.statusJson));
      await channels.close();
    },
  };
}
