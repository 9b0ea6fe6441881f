import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { headerTokens, prepareSocket, refuseUpgrade, wantsUpgrade } from './upgrade.ts';

/** Longest message accepted, as upstream's: clients may send a whole file as one message of standard input. */
const MAX_MESSAGE = 32 * 1024 * 1024;

/** A websocket and the subprotocol agreed on, '' when the client named none. */
export interface AcceptedWebSocket {
  ws: WebSocket;
  protocol: string;
}

/** One `channel.k8s.io` protocol of upstream. */
export interface ChannelProtocol {
  base64: boolean;
  /** The error channel carries a Status since v4, plain text before. */
  statusJson: boolean;
  closeSignal: boolean;
}

/** Websocket subprotocols of exec and attach. A client that names none gets the oldest binary one. */
export const REMOTE_COMMAND_PROTOCOLS: ReadonlyMap<string, ChannelProtocol> = new Map([
  ['', { base64: false, statusJson: false, closeSignal: false }],
  ['channel.k8s.io', { base64: false, statusJson: false, closeSignal: false }],
  ['base64.channel.k8s.io', { base64: true, statusJson: false, closeSignal: false }],
  ['v4.channel.k8s.io', { base64: false, statusJson: true, closeSignal: false }],
  ['v4.base64.channel.k8s.io', { base64: true, statusJson: true, closeSignal: false }],
  ['v5.channel.k8s.io', { base64: false, statusJson: true, closeSignal: true }],
]);

export function wantsWebSocket(req: IncomingMessage): boolean {
  return wantsUpgrade(req, 'websocket');
}

/**
 * Completes a websocket handshake with the first of the client's subprotocols that `supported` holds ('' stands for
 * none named). Returns undefined when the request was refused (403, or 400 for a bad handshake) or the client is gone.
 */
export function acceptWebSocket(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  supported: readonly string[],
): Promise<AcceptedWebSocket | undefined> {
  const offered = headerTokens(req, 'sec-websocket-protocol');
  const chosen = offered.length === 0 ? '' : offered.find((protocol) => supported.includes(protocol));
  if (chosen === undefined || !supported.includes(chosen)) {
    refuseUpgrade(
      socket,
      403,
      `unable to upgrade: none of the websocket protocols [${offered.join(' ')}] is supported, server accepts [${supported.join(' ')}]`,
    );
    return Promise.resolve(undefined);
  }
  prepareSocket(socket);
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // Some clients send binary output as text messages.
    skipUTF8Validation: true,
    maxPayload: MAX_MESSAGE,
  });
  // ws takes names with a slash, as in `SPDY/3.1+portforward.k8s.io`, for malformed: it is not shown them at all.
  delete req.headers['sec-websocket-protocol'];
  if (chosen !== '') server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${chosen}`));
  return new Promise((resolve) => {
    // A bad handshake is answered by ws itself, which then closes the socket.
    const gone = (): void => resolve(undefined);
    socket.once('close', gone);
    server.handleUpgrade(req, socket, head, (ws) => {
      socket.off('close', gone);
      resolve({ ws, protocol: chosen });
    });
  });
}
