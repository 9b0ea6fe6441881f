import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { StatusError, statusErrors, toStatusError } from '../apimachinery/status-error.ts';
import { type Component, OperatorError } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { requireAuthorized } from './authz/authorizer.ts';
import type { Response } from './http/exchange.ts';
import { actAsAsked, attributesOf, OpenExchange, openExchange } from './http/open-exchange.ts';
import { isKnown, serveResource, subresourceOf } from './http/resource-routes.ts';
import { createRouter, type RouterOptions } from './http/router.ts';
import { Traffic, type TrafficLimits } from './http/traffic.ts';
import { isWebSocketStream, WebSocketResponse } from './http/websocket-response.ts';

export interface ServingTls {
  readonly key: string;
  readonly cert: string;
  /** CA of client certificates. */
  readonly clientCA: string;
}

export interface ApiServerOptions extends Omit<RouterOptions, 'signal' | 'traffic'> {
  readonly limits: TrafficLimits;
  /** How long requests are still served after the server was asked to end, ms. */
  readonly shutdownDelayMs: number;
  readonly bindAddress: string;
  readonly port: number;
  readonly tls: ServingTls;
  readonly log: Logger;
}

/** How long requests that are under way may go on when the server stops. */
const DRAIN_MS = 10_000;
/** How long clients have to take their answers and go. */
const LINGER_MS = 500;

/**
 * What one HTTP/2 connection may hold, megabytes. Answers on their way count: with the default of 10, a client that
 * lists 10,000 Pods could ask for nothing else meanwhile.
 */
const SESSION_MB = 1024;

/** The code of an answer that hands the connection over. */
const UPGRADED = 101;

/** How long a connection stays open without requests, as upstream's. Shorter than clients keep theirs, requests would meet its end. */
const IDLE_MS = 90_000;

/** How long a refused upgrade's client has to take its answer and go. */
const REFUSED_MS = 2_000;

/** The API on the network: HTTPS with HTTP/2 and HTTP/1.1, and upgraded connections. */
export class ApiServer implements Component {
  readonly name = 'apiserver';
  readonly #options: ApiServerOptions;
  readonly #stopping = new AbortController();
  readonly #sockets = new Set<Duplex>();
  readonly #traffic: Traffic;
  readonly #sessions = new Set<ServerHttp2Session>();
  #server: Http2SecureServer | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#traffic = new Traffic(options.limits);
  }

  /** The port listened on; of use when it was chosen by the system. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null)?.port ?? this.#options.port;
  }

  async start(): Promise<void> {
    const { tls, bindAddress, port, log } = this.#options;
    const listener = createRouter(this.#routerOptions());
    const server = createSecureServer({
      key: tls.key,
      cert: tls.cert,
      ca: tls.clientCA,
      requestCert: true,
      // An unknown certificate is answered with 401, as upstream does, not with a broken handshake.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      allowHTTP1: true,
      // What is written is complete: waiting for the other side's acknowledgement gains nothing.
      noDelay: true,
      settings: { maxConcurrentStreams: 250 },
      maxSessionMemory: SESSION_MB,
    });
    // The types leave out what allowHTTP1 adds.
    Object.assign(server, { keepAliveTimeout: IDLE_MS });
    this.#server = server;
    server.on('request', (request, response) => {
      listener(request as never, response as never).catch((error: unknown) => {
        log.error('request failed', { error: errorText(error) });
        response.stream?.destroy();
      });
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket, head).catch((error: unknown) => refuse(socket, error, log));
    });
    server.on('connection', (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
    // A client that breaks its handshake or its connection is no matter of ours.
    server.on('tlsClientError', (error) => {
      this.#traffic.handshakeFailed();
      log.debug('TLS handshake failed', { error: errorText(error) });
    });
    server.on('sessionError', (error) => log.debug('HTTP/2 session failed', { error: errorText(error) }));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, bindAddress, port)));
      server.listen({ host: bindAddress, port }, resolve);
    });
  }

  async ready(): Promise<void> {}

  /** Serves new connections with these certificates; open ones keep theirs. */
  setTls(tls: ServingTls): void {
    this.#server?.setSecureContext({ key: tls.key, cert: tls.cert, ca: tls.clientCA, minVersion: 'TLSv1.2' });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    // Whoever balances load between servers sees by /readyz that this one is about to go, and sends requests elsewhere.
    await delay(this.#options.shutdownDelayMs);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.#stopping.abort();
    for (const session of this.#sessions) session.close();
    const drained = new AbortController();
    const late = delay(DRAIN_MS, undefined, { signal: drained.signal }).catch(() => undefined);
    await Promise.race([this.#traffic.idle(), late]);
    drained.abort();
    const force = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, LINGER_MS);
    await closed;
    clearTimeout(force);
    this.#options.connector.close();
  }

  #routerOptions(): RouterOptions {
    return { ...this.#options, traffic: this.#traffic, signal: this.#stopping.signal };
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const unanswered = { once: () => unanswered, setHeader: () => unanswered } as unknown as Response;
    const options = this.#routerOptions();
    const exchange = await openExchange(request, unanswered, options);
    const { audit } = exchange;
    if (audit !== undefined) socket.once('close', () => audit.complete(UPGRADED));
    const { info, query, user } = exchange;
    const response = { statusCode: UPGRADED, once: (_: 'close', done: () => void) => socket.once('close', done) };
    this.#traffic.enter({ info, query, user, request, response }, isKnown(info, this.#options.core));
    try {
      await this.#connect(exchange, socket, head, options);
    } catch (error) {
      const failure = toStatusError(error);
      response.statusCode = failure.code;
      audit?.response(failure.status);
      audit?.started(failure.code);
      audit?.complete(failure.code);
      throw error;
    }
  }

  async #connect(exchange: OpenExchange, socket: Duplex, head: Buffer, options: RouterOptions): Promise<void> {
    const { core, connector } = this.#options;
    const { audit, info, request } = exchange;
    actAsAsked(exchange, options);
    await core.operations.store.datastore.current();
    requireAuthorized(core.authorizer, attributesOf(exchange), audit);
    if (isWebSocketStream(request, info)) {
      const response = new WebSocketResponse(request, socket, head, info.verb === 'watch');
      const { query, user } = exchange;
      await serveResource(
        new OpenExchange(request, response as never, info, query, user, this.#stopping.signal, audit),
        options,
      );
      return;
    }
    const descriptor = core.registry.find(info.group, info.version, info.resource);
    const subresource = descriptor === undefined ? undefined : subresourceOf(descriptor, info);
    if (descriptor === undefined || subresource?.type !== 'connect') throw statusErrors.pathNotFound();
    audit?.started(UPGRADED);
    await connector.upgrade(request, socket, head, info, descriptor, exchange.query, this.#stopping.signal);
  }
}

function refuse(socket: Duplex, error: unknown, log: Logger): void {
  if (!(error instanceof StatusError)) log.error('upgrade failed', { error: errorText(error) });
  const failure = error instanceof StatusError ? error : statusErrors.internalError(errorText(error));
  const body = JSON.stringify(failure.status);
  const head = `HTTP/1.1 ${failure.code} ${STATUS_CODES[failure.code] ?? 'Error'}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  if (socket.destroyed) return;
  // Nobody reads from the connection any more: unread, it would never be seen to end.
  socket.resume();
  socket.end(head + body);
  setTimeout(() => socket.destroy(), REFUSED_MS).unref();
}

function listenError(error: NodeJS.ErrnoException, address: string, port: number): Error {
  const where = `${address}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new OperatorError(
        `port ${port} is in use by another process: stop it (see "ss -ltnp"), or choose another port with --https-listen-port`,
      );
    case 'EADDRNOTAVAIL':
      return new OperatorError(`${address} is no address of this host: correct --bind-address`);
    case 'EACCES':
      return new OperatorError(`listening on ${where} is not permitted: run as root or choose a port above 1023`);
    default:
      return new OperatorError(`cannot listen on ${where}: ${error.message}`, { cause: error });
  }
}
