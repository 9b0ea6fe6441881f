/** An HTTPS server for tests of the client: HTTP/2 only, with whatever answers a test wants. */
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { createAuthority, issueCertificate, type KeyPairPem } from '../../../pki/issue.ts';

export type Handler = (request: Http2ServerRequest, response: Http2ServerResponse, body: string) => void;

/** A certificate authority and what it issued for tests. */
export interface TestPki {
  readonly authority: KeyPairPem;
  readonly serving: KeyPairPem;
  client(name: string): Promise<KeyPairPem>;
}

export async function testPki(): Promise<TestPki> {
  const now = Date.now();
  const authority = await createAuthority('test-ca', now);
  const leaf = { name: 'leaf', issuer: 'server-ca' as const, organizations: [], dnsNames: [] };
  const serving = { ...leaf, usage: 'server' as const, commonName: 'server', ipAddresses: ['127.0.0.1'] };
  return {
    authority,
    serving: await issueCertificate(serving, authority, now),
    client: (name) => issueCertificate({ ...leaf, usage: 'client', commonName: name, ipAddresses: [] }, authority, now),
  };
}

export class FakeServer {
  handler: Handler;
  readonly #pki: TestPki;
  readonly #sockets = new Set<Duplex>();
  #server: Http2SecureServer | undefined;
  #port = 0;
  connections = 0;

  constructor(pki: TestPki, handler: Handler) {
    this.#pki = pki;
    this.handler = handler;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<this> {
    const { serving, authority } = this.#pki;
    const server = createSecureServer({
      key: serving.key,
      cert: serving.certificate,
      ca: authority.certificate,
      requestCert: true,
      rejectUnauthorized: false,
      settings: { maxConcurrentStreams: 100 },
    });
    this.#server = server;
    server.on('sessionError', () => {});
    server.on('secureConnection', () => {
      this.connections += 1;
    });
    server.on('connection', (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        this.handler(request, response, body);
      });
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  /** Ends at once, as a killed process does; `start` begins again on the same port. */
  async kill(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** The name in the certificate of who sent `request`. */
export function peerName(request: Http2ServerRequest): string {
  const socket = request.stream.session?.socket as TLSSocket | undefined;
  return String(socket?.getPeerCertificate().subject?.CN ?? '');
}

/** Answers with JSON. */
export function answer(
  response: Http2ServerResponse,
  code: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
