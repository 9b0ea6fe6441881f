import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { CommandStatus } from './command-status.ts';
import type { RemoteCommandOptions } from './remote-command-options.ts';

/** The client's end of a remote command; a stream that was not asked for is undefined. */
export interface RemoteCommandStreams {
  /** Ends when the client ends its input or is gone. */
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** JSON objects `{"Width":80,"Height":24}`, one after the other; only with a terminal. */
  readonly resize: Readable | undefined;
  /** Aborts when the client is gone: let go of everything. */
  readonly signal: AbortSignal;
}

/** A session whose protocol has been agreed on and whose streams are there. */
export interface CommandSession {
  readonly streams: RemoteCommandStreams;
  /** Sends how the command ended, behind all output, and closes the connection. Never rejects. */
  finish(status: CommandStatus): Promise<void>;
}

export interface ServeCommandOptions extends RemoteCommandOptions {
  logger: Logger;
  /** The session is dropped when nothing is sent either way for this long; default 4 h. */
  idleTimeoutMs?: number;
  clock?: Clock;
}

/** Ends a stream and waits until what was written has been handed to the transport, or the stream is gone. */
export async function endStream(stream: Writable, lastWords: string | undefined): Promise<void> {
  if (!stream.writableEnded && !stream.destroyed) {
    if (lastWords === undefined) stream.end();
    else stream.end(lastWords);
  }
  // A failed stream is one whose client is gone: there is nothing left to wait for.
  await finished(stream, { readable: false }).catch(() => {});
}
