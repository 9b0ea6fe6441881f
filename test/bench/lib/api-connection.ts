import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { parse } from 'yaml';

/** Where an API server is and who asks, as a kubeconfig has it. */
export interface Access {
  readonly host: string;
  readonly port: number;
  readonly tls: ConnectionOptions;
}

export interface Answer {
  readonly code: number;
  readonly body: Buffer;
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
}

const JSON_TYPE = 'application/json';
const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
const NOTHING = Buffer.alloc(0);

/** Reads the administrator's kubeconfig that kedge writes. */
export function readAccess(kubeconfig: string): Access {
  const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
  const cluster = clusters[0]?.cluster ?? {};
  const user = users[0]?.user ?? {};
  const data = (source: Readonly<Record<string, string>>, key: string): Buffer =>
    Buffer.from(source[`${key}-data`] ?? '', 'base64');
  const { hostname, port } = new URL(cluster['server'] ?? '');
  return {
    host: hostname,
    port: Number(port),
    tls: {
      ca: data(cluster, 'certificate-authority'),
      cert: data(user, 'client-certificate'),
      key: data(user, 'client-key'),
    },
  };
}

/**
 * One keep-alive HTTPS connection, one request at a time. It does as little as a client can: on a small machine the
 * time a client spends is time the server does not get.
 */
export class ApiConnection {
  readonly #socket: TLSSocket;
  readonly #host: string;
  /** What has come and was not taken yet. */
  #received: Buffer = NOTHING;
  #onData: () => void = () => {};
  #failure: Error | undefined;

  private constructor(socket: TLSSocket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#onData();
    });
    const fail = (error: Error): void => {
      this.#failure = error;
      this.#onData();
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the server closed the connection')));
  }

  static async open({ host, port, tls }: Access): Promise<ApiConnection> {
    const socket = connect({ ...tls, host, port, ALPNProtocols: ['http/1.1'] });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    socket.setNoDelay(true);
    return new ApiConnection(socket, `${host}:${port}`);
  }

  /** Sends a request and reads the whole answer, whatever its code. */
  request(method: string, path: string, body = '', accept = JSON_TYPE): Promise<Answer> {
    return new Promise((resolve, reject) => this.exchange(method, path, body, accept, resolve, reject));
  }

  /** The same by callbacks, which cost a client that sends many requests less. */
  exchange(
    method: string,
    path: string,
    body: string,
    accept: string,
    answered: (answer: Answer) => void,
    failed: (error: Error) => void,
  ): void {
    this.#send(method, path, body, accept);
    let head: Head | undefined;
    let chunks: Buffer[] = [];
    let size = 0;
    this.#onData = () => {
      if (this.#failure !== undefined) {
        failed(this.#failure);
        return;
      }
      if (head === undefined) {
        head = readHead(this.#received);
        if (head === undefined) return;
        this.#received = this.#received.subarray(head.end);
      }
      const { code, length } = head;
      if (length === undefined) {
        failed(new Error(`an answer to ${method} ${path} that does not tell its length`));
        return;
      }
      chunks.push(this.#received);
      size += this.#received.length;
      this.#received = NOTHING;
      if (size < length) return;
      const [only = NOTHING] = chunks;
      const all = chunks.length === 1 ? only : Buffer.concat(chunks, size);
      chunks = [];
      this.#received = all.subarray(length);
      this.#onData = () => {};
      answered({ code, body: all.subarray(0, length) });
    };
  }

  /** Begins a watch; `onLine` gets each event's JSON document. Resolves when the server has taken it. */
  watch(path: string, onLine: (line: Buffer) => void): Promise<void> {
    this.#send('GET', path, '', JSON_TYPE);
    return new Promise((resolve, reject) => {
      let begun = false;
      this.#onData = () => {
        if (this.#failure !== undefined) {
          reject(this.#failure);
          return;
        }
        if (!begun) {
          const head = readHead(this.#received);
          if (head === undefined) return;
          assert.equal(head.code, 200, `watch of ${path}`);
          begun = true;
          this.#received = this.#received.subarray(head.end);
          resolve();
        }
        this.#received = readChunks(this.#received, onLine);
      };
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(method: string, path: string, body: string, accept: string): void {
    const type = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\naccept: ${accept}\r\n${type}\r\n${body}`);
  }
}

interface Head {
  readonly code: number;
  readonly length: number | undefined;
  /** Where the body begins. */
  readonly end: number;
}

/** The head of an answer; undefined when not all of it is there. */
function readHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return {
    code: Number(head.slice(9, 12)),
    length: length === undefined ? undefined : Number(length),
    end: end + HEAD_END.length,
  };
}

/** Hands the lines in whole chunks of a chunked body to `onLine`; returns what is not whole yet. */
function readChunks(bytes: Buffer, onLine: (line: Buffer) => void): Buffer {
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(LINE_END, at);
    if (end < 0) return bytes.subarray(at);
    const start = end + LINE_END.length;
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
    if (bytes.length < start + size + LINE_END.length) return bytes.subarray(at);
    // kedge writes each event as one chunk.
    if (size > 0) onLine(bytes.subarray(start, start + size));
    at = start + size + LINE_END.length;
  }
}
