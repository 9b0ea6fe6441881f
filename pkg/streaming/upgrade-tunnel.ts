import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as requestHttp, STATUS_CODES } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Duplex } from 'node:stream';
import { errorText, type Logger } from '../base/log.ts';
import { LINGER_MS, prepareSocket, refuseUpgrade, statusBody } from './upgrade.ts';

/** Headers that concern this hop or this server's client only. */
const DROPPED_HEADERS = new Set(['host', 'authorization', 'cookie', 'content-length', 'transfer-encoding', 'expect']);
const DROPPED_PREFIXES = ['impersonate-', 'x-remote-', 'proxy-'];
/** Websocket subprotocol by which browsers pass a bearer token; it is for this server's eyes only. */
const TOKEN_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';
const CONNECT_TIMEOUT_MS = 30_000;
/** What a client may send before the backend has answered; more waits in its socket. */
const MOST_EARLY_BYTES = 64 * 1024;

export interface TunnelTarget {
  /** `https://host:port/path?query` (or http). */
  url: string | URL;
  /** PEM; how this server proves itself to the backend and how it knows the backend. */
  tls?: { ca?: string | Buffer; cert?: string | Buffer; key?: string | Buffer; servername?: string };
  logger: Logger;
  /** Tears the tunnel down when it aborts. */
  signal?: AbortSignal;
}

/**
 * Sends an upgrade request on to a backend, with its method and headers (credentials left out), and joins the two
 * connections byte for byte once the backend has answered 101. Any other answer is passed on and ends the connection; no
 * answer gives 500 with upstream's message. Resolves when both connections are gone; never rejects.
 * Upstream: k8s.io/apimachinery/pkg/util/proxy UpgradeAwareHandler.
 */
export function tunnelUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer, target: TunnelTarget): Promise<void> {
  prepareSocket(socket);
  return new Promise((resolve) => {
    const url = new URL(target.url);
    const done = new AbortController();
    let joined: Duplex | undefined;
    const options: RequestOptions & { servername?: string } = {
      method: req.method ?? 'GET',
      headers: forwardedHeaders(req, url.host),
      agent: false,
      timeout: CONNECT_TIMEOUT_MS,
      signal: target.signal === undefined ? done.signal : AbortSignal.any([done.signal, target.signal]),
      ...target.tls,
    };
    const backend = url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
    // Until the backend has answered, the client's end is what stops the attempt; only a socket that is read shows it.
    const early: Buffer[] = [head];
    let earlySize = 0;
    const keepEarly = (chunk: Buffer): void => {
      early.push(chunk);
      earlySize += chunk.length;
      if (earlySize >= MOST_EARLY_BYTES) socket.pause();
    };
    const clientGone = (): void => done.abort();
    socket.on('data', keepEarly);
    socket.once('end', clientGone);
    socket.once('close', clientGone);
    socket.once('close', () => {
      if (joined === undefined || joined.destroyed) resolve();
      else joined.once('close', resolve);
    });
    if (socket.destroyed) {
      done.abort();
      resolve();
    }
    backend.on('timeout', () => backend.destroy(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)));
    backend.on('error', (error) => {
      if (socket.destroyed) return;
      target.logger.warn('streaming backend cannot be reached', { host: url.host, error: errorText(error) });
      refuseUpgrade(socket, 500, statusBody(500, `error dialing backend: ${errorText(error)}`));
    });
    backend.on('response', (response) => {
      socket.write(responseHead(response, true));
      response.on('error', () => socket.destroy());
      response.pipe(socket);
      socket.once('finish', () => socket.destroy());
    });
    backend.on('upgrade', (response, backendSocket, backendHead) => {
      socket.off('data', keepEarly).off('end', clientGone).off('close', clientGone);
      joined = backendSocket;
      prepareSocket(backendSocket);
      socket.write(responseHead(response, false));
      if (backendHead.length > 0) socket.write(backendHead);
      for (const chunk of early) if (chunk.length > 0) backendSocket.write(chunk);
      join(socket, backendSocket, target.signal);
    });
    backend.end();
  });
}

/**
 * Pipes both ways. When one side ends, the other is ended behind the bytes under way, which may take a slow reader its
 * time; then the rest has five seconds. When the backend breaks, the client still gets what is under way, within five
 * seconds; what a broken client has sent is worth nothing any more. `signal` drops both.
 */
function join(client: Duplex, backend: Duplex, signal: AbortSignal | undefined): void {
  let timer: NodeJS.Timeout | undefined;
  const drop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', drop);
    client.destroy();
    backend.destroy();
  };
  signal?.addEventListener('abort', drop, { once: true });
  if (signal?.aborted === true) drop();
  const linger = (): void => {
    timer ??= setTimeout(drop, LINGER_MS).unref();
  };
  client.pipe(backend);
  backend.pipe(client);
  client.once('finish', linger);
  backend.once('finish', linger);
  client.once('close', () => {
    if (!client.readableEnded || backend.writableFinished) drop();
  });
  backend.once('close', () => {
    if (client.writableFinished || client.destroyed) {
      drop();
    } else if (!backend.readableEnded) {
      client.end();
      linger();
    }
  });
}

function forwardedHeaders(req: IncomingMessage, host: string): string[] {
  const headers = ['Host', host];
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i] ?? '';
    let value = req.rawHeaders[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (DROPPED_HEADERS.has(lower) || DROPPED_PREFIXES.some((prefix) => lower.startsWith(prefix))) continue;
    if (lower === 'sec-websocket-protocol') {
      value = value
        .split(',')
        .map((protocol) => protocol.trim())
        .filter((protocol) => !protocol.startsWith(TOKEN_PROTOCOL))
        .join(', ');
      if (value === '') continue;
    }
    headers.push(name, value);
  }
  if (req.method === 'POST') headers.push('Content-Length', '0');
  return headers;
}

function responseHead(response: IncomingMessage, closing: boolean): string {
  const code = response.statusCode ?? 502;
  const lines = [`HTTP/1.1 ${code} ${response.statusMessage ?? STATUS_CODES[code] ?? ''}`];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    const name = response.rawHeaders[i] ?? '';
    const lower = name.toLowerCase();
    // The body is re-sent as read, up to the end of the connection.
    if (closing && (lower === 'connection' || lower === 'transfer-encoding' || lower === 'keep-alive')) continue;
    lines.push(`${name}: ${response.rawHeaders[i + 1] ?? ''}`);
  }
  if (closing) lines.push('Connection: close');
  return `${lines.join('\r\n')}\r\n\r\n`;
}
