import { request } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { errorText } from '../base/log.ts';
import type { RemoteCommandStreams } from './command-session.ts';
import { type CommandStatus, parseCommandStatus } from './command-status.ts';
import { PORT_FORWARD_PROTOCOL, type PortForwardTarget } from './port-forward.ts';
import type { RemoteCommandOptions } from './remote-command-options.ts';
import { SpdyConnection } from './spdy/connection.ts';
import type { SpdyStream } from './spdy/stream.ts';
import { PROTOCOL_HEADER, prepareSocket, SPDY_31 } from './upgrade.ts';

const DIAL_TIMEOUT_MS = 30_000;
/** Most bytes read of an error message: a status, or the body of a refusal. */
const LONGEST_MESSAGE = 64 * 1024;
/** Containerd drops streaming connections that are idle for 4 h; how long an idle session lives is the client's side to say. */
const KEEPALIVE_MS = 10 * 60_000;

/**
 * Dials a streaming URL the container runtime has given out (`http://127.0.0.1:port/exec/TOKEN`) and upgrades to
 * SPDY/3.1 with stream protocol `protocol`. Rejects when the runtime refuses, does not answer, or `signal` aborts.
 */
function dialRuntime(url: string, protocol: string, signal: AbortSignal): Promise<SpdyConnection> {
  return new Promise((resolve, reject) => {
    const target = new URL(url);
    if (target.protocol !== 'http:') {
      reject(new Error(`container runtime streams over ${target.protocol} which is not supported`));
      return;
    }
    const dial = request(target, {
      method: 'POST',
      agent: false,
      signal,
      timeout: DIAL_TIMEOUT_MS,
      headers: { Connection: 'Upgrade', Upgrade: SPDY_31, [PROTOCOL_HEADER]: protocol, 'Content-Length': '0' },
    });
    dial.on('timeout', () => dial.destroy(new Error(`no answer within ${DIAL_TIMEOUT_MS / 1000} s`)));
    dial.on('error', (cause) => reject(new Error('container runtime did not accept the stream', { cause })));
    dial.on('upgrade', (_response, socket, head) => {
      prepareSocket(socket);
      const connection = new SpdyConnection(socket, { role: 'client', pingIntervalMs: KEEPALIVE_MS }, head);
      // `signal` of the request is done with: it covered the dialling only.
      const abort = (): void => connection.destroy();
      signal.addEventListener('abort', abort, { once: true });
      void connection.closed.then(() => signal.removeEventListener('abort', abort));
      if (signal.aborted) abort();
      resolve(connection);
    });
    dial.on('response', (response) => {
      readText(response).then(
        (text) => reject(new Error(`container runtime answered ${response.statusCode}: ${text.trim().slice(0, 500)}`)),
        reject,
      );
    });
    dial.end();
  });
}

/** The whole of a short text. Rejects when it is longer than 64 KiB. */
async function readText(source: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > LONGEST_MESSAGE)
      throw new Error(`message of the container runtime is longer than ${LONGEST_MESSAGE} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Runs the exec or attach session behind `url` with the client's streams and returns the status the runtime reports once
 * all output has been passed on. Rejects when the runtime refuses the session or its connection breaks.
 */
export async function runRuntimeCommand(
  url: string,
  options: RemoteCommandOptions,
  client: RemoteCommandStreams,
): Promise<CommandStatus> {
  const connection = await dialRuntime(url, 'v4.channel.k8s.io', client.signal);
  try {
    const open = (streamType: string): SpdyStream => connection.createStream({ streamType });
    const errors = open('error');
    errors.end();
    const inputs: Promise<void>[] = [];
    const outputs: Promise<void>[] = [];
    if (options.stdin) inputs.push(passInput(client.stdin, open('stdin')));
    if (options.stdout) outputs.push(passOutput(open('stdout'), client.stdout));
    if (options.stderr) outputs.push(passOutput(open('stderr'), client.stderr));
    if (options.tty) inputs.push(passInput(client.resize, open('resize')));
    const [text] = await Promise.all([readText(errors), ...outputs]);
    if (text === '') {
      throw new Error('connection to the container runtime was lost before the command ended', {
        cause: errors.abortReason,
      });
    }
    return parseCommandStatus(text);
  } finally {
    connection.close();
  }
}

/**
 * Opens the port-forward session behind `url`: each connection is a pair of streams to the runtime. Rejects as
 * `runRuntimeCommand` does.
 */
export async function dialRuntimePortForward(url: string, signal: AbortSignal): Promise<PortForwardTarget> {
  const connection = await dialRuntime(url, PORT_FORWARD_PROTOCOL, signal);
  let lastRequest = 0;
  return {
    connect(port) {
      lastRequest += 1;
      const pair = { port: String(port), requestID: String(lastRequest) };
      const errors = connection.createStream({ streamType: 'error', ...pair });
      errors.end();
      const data = connection.createStream({ streamType: 'data', ...pair });
      let dropped = false;
      return {
        data,
        failure: readText(errors).catch((error: unknown) => (dropped ? '' : errorText(error))),
        destroy() {
          dropped = true;
          data.destroy();
          errors.destroy();
        },
      };
    },
    close: () => connection.close(),
    signal: connection.signal,
  };
}

/**
 * Input goes on until either end is done with it. That the runtime stops reading, because the command has ended, is no
 * failure and must not reset the client's stream: the rest is read and dropped.
 */
async function passInput(from: Readable | undefined, to: SpdyStream): Promise<void> {
  to.resume();
  if (from === undefined) {
    to.end();
    return;
  }
  from.pipe(to);
  await finished(to, { readable: false }).catch(() => {});
  from.unpipe(to);
  from.resume();
}

/** Passes output on until it ends. When the client's stream breaks, the session's `signal` tells. */
async function passOutput(from: SpdyStream, to: Writable | undefined): Promise<void> {
  from.end();
  if (to === undefined) from.resume();
  else await pipeline(from, to).catch(() => {});
}
