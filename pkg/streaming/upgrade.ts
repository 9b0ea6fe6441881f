/** What the ends of an upgraded connection share: recognising, negotiating, refusing. */

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export const SPDY_31 = 'SPDY/3.1';
/** Header that lists the stream protocols a client speaks, and in the answer the one chosen. */
export const PROTOCOL_HEADER = 'X-Stream-Protocol-Version';
const ACCEPTED_PROTOCOLS_HEADER = 'X-Accepted-Stream-Protocol-Versions';

/** Upstream's --streaming-connection-idle-timeout: 4 h. */
export const STREAM_IDLE_TIMEOUT_MS = 4 * 60 * 60 * 1000;
/** How long a client has to open the streams it asked for, as upstream's DefaultStreamCreationTimeout. */
export const STREAM_CREATION_TIMEOUT_MS = 30_000;
/** How long a finished session waits for the client to hang up before it does so itself. */
export const LINGER_MS = 5_000;

const TCP_KEEPALIVE_MS = 30_000;

/** Whether the request asks for its connection to become `protocol` (any case). */
export function wantsUpgrade(req: IncomingMessage, protocol: string): boolean {
  const connection = headerTokens(req, 'connection').some((token) => token.toLowerCase().includes('upgrade'));
  return connection && headerTokens(req, 'upgrade').some((token) => token.toLowerCase() === protocol.toLowerCase());
}

/** The comma-separated values of a header over all its lines, in order. */
export function headerTokens(req: IncomingMessage, name: string): string[] {
  const tokens: string[] = [];
  for (let i = 0; i + 1 < req.rawHeaders.length; i += 2) {
    if (req.rawHeaders[i]?.toLowerCase() !== name.toLowerCase()) continue;
    for (const part of (req.rawHeaders[i + 1] ?? '').split(',')) {
      if (part.trim() !== '') tokens.push(part.trim());
    }
  }
  return tokens;
}

/** Makes a socket fit for a long, interactive session, and its errors nobody's crash: 'close' follows each of them. */
export function prepareSocket(socket: Duplex): void {
  socket.on('error', () => {});
  if (socket instanceof Socket) {
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
  }
}

/** A metav1.Status as the body of an error answer. */
export function statusBody(code: number, message: string): string {
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code });
}

/** Answers an upgrade request with an HTTP error, and closes. A body that starts with `{` is sent as JSON. */
export function refuseUpgrade(
  socket: Duplex,
  code: number,
  message: string,
  headers: readonly (readonly [string, string])[] = [],
): void {
  prepareSocket(socket);
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${message}\n`;
  const lines = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Error'}`,
    `Content-Type: ${message.startsWith('{') ? 'application/json' : 'text/plain; charset=utf-8'}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

/**
 * Chooses the first of the client's stream protocols that is in `supported` and answers 101; otherwise answers the
 * error that upstream's httpstream.Handshake does. Returns the protocol, or undefined when refused.
 */
export function acceptSpdy(req: IncomingMessage, socket: Duplex, supported: readonly string[]): string | undefined {
  if (!wantsUpgrade(req, SPDY_31)) {
    refuseUpgrade(socket, 400, 'unable to upgrade: missing upgrade headers in request');
    return undefined;
  }
  const offered = headerTokens(req, PROTOCOL_HEADER);
  if (offered.length === 0) {
    refuseUpgrade(socket, 400, `unable to upgrade: header ${PROTOCOL_HEADER} does not name a protocol`);
    return undefined;
  }
  const chosen = offered.find((protocol) => supported.includes(protocol));
  if (chosen === undefined) {
    refuseUpgrade(
      socket,
      403,
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${supported.join(' ')}]`,
      supported.map((protocol) => [ACCEPTED_PROTOCOLS_HEADER, protocol] as const),
    );
    return undefined;
  }
  prepareSocket(socket);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${SPDY_31}\r\n${PROTOCOL_HEADER}: ${chosen}\r\n\r\n`,
  );
  return chosen;
}
