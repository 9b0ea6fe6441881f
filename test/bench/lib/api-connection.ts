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
  #received: Buffer[] = [];
  #size = 0;
  #onData: () => void = () => {};
  #failure: Error | undefined;

  private constructor(socket: TLSSocket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#size += chunk.length;
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
  async request(method: string, path: string, body = '', accept = JSON_TYPE): Promise<Answer> {
    this.#send(method, path, body, accept);
    const { code, length, rest } = await this.#readHead();
    assert.ok(length !== undefined, 'the answer tells its length');
    await this.#until(() => this.#size >= length, rest);
    return { code, body: this.#take(length) };
  }

  /** Begins a watch; `onLine` gets each event's JSON document. Resolves when the server has taken it. */
  async watch(path: string, onLine: (line: Buffer) => void): Promise<void> {
    this.#send('GET', path, '', JSON_TYPE);
    const { code, rest } = await this.#readHead();
    assert.equal(code, 200, `watch of ${path}`);
    let pending = rest;
    const read = (): void => {
      pending = Buffer.concat([pending, ...this.#received.splice(0)]);
      this.#size = 0;
      pending = readChunks(pending, onLine);
    };
    this.#onData = read;
    read();
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(method: string, path: string, body: string, accept: string): void {
    const type = body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\naccept: ${accept}\r\n${type}\r\n${body}`);
  }

  async #readHead(): Promise<{ code: number; length: number | undefined; rest: Buffer }> {
    let at = -1;
    await this.#until(() => {
      this.#received = [Buffer.concat(this.#received)];
      at = this.#received[0]?.indexOf(HEAD_END) ?? -1;
      return at >= 0;
    });
    const all = this.#take(this.#size);
    const head = all.subarray(0, at).toString('latin1');
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    return {
      code: Number(head.slice(9, 12)),
      length: length === undefined ? undefined : Number(length),
      rest: all.subarray(at + HEAD_END.length),
    };
  }

  /** Waits until `enough`; `first` is put before what comes. */
  async #until(enough: () => boolean, first: Buffer = Buffer.alloc(0)): Promise<void> {
    if (first.length > 0) {
      this.#received.unshift(first);
      this.#size += first.length;
    }
    while (!enough()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#onData = resolve;
      });
    }
    this.#onData = () => {};
  }

  #take(length: number): Buffer {
    const all = this.#received.length === 1 ? this.#received[0] : Buffer.concat(this.#received);
    assert.ok(all !== undefined && all.length >= length);
    this.#received = [all.subarray(length)];
    this.#size = all.length - length;
    return all.subarray(0, length);
  }
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
