import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { FrameParser, frame } from '../frames.ts';

/** What a test does with one call: `method` is `<package>.<Service>/<Method>`. */
export type CallHandler = (
  stream: ServerHttp2Stream,
  call: { readonly method: string; readonly request: Buffer; readonly timeout: string | undefined },
) => void;

/** A gRPC server on a unix socket that hands every call to the test. */
export class GrpcTestServer {
  #server: Http2Server | undefined;
  #sessions: ServerHttp2Session[] = [];

  async listen(socketPath: string, handler: CallHandler): Promise<void> {
    const server = createServer();
    server.on('session', (session) => this.#sessions.push(session));
    server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on('error', () => {});
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const [request = Buffer.alloc(0)] = new FrameParser(1e6, 'test').push(Buffer.concat(chunks));
        const timeout = headers['grpc-timeout'];
        const method = headers[':path']?.slice(1) ?? '';
        handler(stream, { method, request, timeout: typeof timeout === 'string' ? timeout : undefined });
      });
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    this.#server = server;
  }

  /** Breaks every connection. */
  drop(): void {
    for (const session of this.#sessions) session.destroy();
    this.#sessions = [];
  }

  async close(): Promise<void> {
    this.drop();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }
}

/** Answers with `messages` and then the status in trailers. */
export function reply(stream: ServerHttp2Stream, messages: readonly Uint8Array[], status = 0, text = ''): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status), 'grpc-message': text }));
  for (const message of messages) stream.write(frame(message));
  stream.end();
}

/** Answers with a status alone. */
export function refuse(stream: ServerHttp2Stream, status: number, text: string): void {
  stream.respond({ ':status': 200, 'grpc-status': String(status), 'grpc-message': text }, { endStream: true });
}
