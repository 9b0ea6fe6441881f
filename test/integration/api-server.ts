import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from '../../packaging/dev/lib/project.ts';
import type { LeafSpec } from '../../pkg/pki/certificate-plan.ts';
import { issueCertificate } from '../../pkg/pki/issue.ts';

const START_TIMEOUT_MS = 180_000;

export interface ApiServerParts {
  readonly controllers?: boolean;
  readonly scheduler?: boolean;
  /** Further flags of `kedge server`. */
  readonly flags?: readonly string[];
  /** Flags of Node.js itself. */
  readonly nodeFlags?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly bytes: Buffer;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Without the client certificate. */
  readonly anonymous?: boolean;
  /** Looks at what has come so far of an answer that does not end by itself; the rest is not waited for. */
  readonly isEnough?: (bytes: Buffer) => boolean;
}

/** `kedge server` from source without node, and unless asked for without controllers and scheduler, on a free port of the loopback, in a folder of its own. */
export class ApiServerProcess {
  readonly folder: string;
  readonly url: string;
  readonly #flags: readonly string[];
  readonly #nodeFlags: readonly string[];
  readonly #port: number;
  #process: ChildProcess;
  #agent: Agent | undefined;
  #log = '';

  private constructor(folder: string, port: number, parts: ApiServerParts) {
    const { controllers = false, scheduler = false, flags = [], nodeFlags = [] } = parts;
    this.folder = folder;
    this.#nodeFlags = nodeFlags;
    this.#port = port;
    this.url = `https://127.0.0.1:${port}`;
    this.#flags = [
      '--config',
      join(folder, 'config.yaml'),
      '--data-dir',
      join(folder, 'data'),
      '--https-listen-port',
      String(port),
      '--write-kubeconfig',
      this.kubeconfig,
      '--disable-agent',
      ...(scheduler ? [] : ['--disable-scheduler']),
      ...(controllers ? [] : ['--disable-controller-manager']),
      ...flags,
    ];
    writeFileSync(join(folder, 'config.yaml'), '');
    this.#process = this.#launch();
  }

  #launch(): ChildProcess {
    const child = spawn(process.execPath, [
      ...this.#nodeFlags,
      join(ROOT, 'cmd/kedge/main.ts'),
      'server',
      ...this.#flags,
    ]);
    this.#log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    }
    return child;
  }

  /** Starts a server and waits until it is ready. */
  static async start(options: ApiServerParts = {}): Promise<ApiServerProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'kedge-api-'));
    const server = new ApiServerProcess(folder, await freePort(), options);
    try {
      await server.#ready();
      await server.#issueAdmin();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get kubeconfig(): string {
    return join(this.folder, 'admin.kubeconfig');
  }

  /** PEM files: the server's CA, and certificate and key of the user `admin` of `system:masters`. */
  get tls(): { readonly ca: string; readonly cert: string; readonly key: string } {
    const ca = join(this.folder, 'data/server/tls/server-ca.crt');
    return { ca, cert: join(this.folder, 'admin.crt'), key: join(this.folder, 'admin.key') };
  }

  /** What the server has logged since its last start. */
  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Sends one request as `admin`. */
  send(call: Call): Promise<Answer> {
    const { ca, cert, key } = this.tls;
    this.#agent ??= new Agent({
      ca: readFileSync(ca),
      cert: readFileSync(cert),
      key: readFileSync(key),
      keepAlive: true,
      maxSockets: 8,
    });
    const { method, path, headers, body, anonymous = false, isEnough } = call;
    const agent = anonymous ? new Agent({ ca: readFileSync(ca) }) : this.#agent;
    // Node.js says nothing of the body of a DELETE by itself.
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const options = { method, path, host: '127.0.0.1', port: this.#port, agent, headers: { ...length, ...headers } };
    return new Promise((resolve, reject) => {
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        const done = (): void => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: bytes.toString('utf8'), bytes });
        };
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          if (isEnough?.(Buffer.concat(chunks)) !== true) return;
          done();
          response.destroy();
        });
        response.on('error', reject);
        response.on('end', done);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** Ends the server without asking it (SIGKILL); its data stays. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.kill('SIGKILL');
    await ended;
    this.#agent?.destroy();
    this.#agent = undefined;
  }

  /** Asks the server to end (SIGTERM). */
  askToEnd(): void {
    this.#process.kill('SIGTERM');
  }

  /** Waits until the server has ended; resolves to its exit code, null when a signal ended it. */
  async ended(): Promise<number | null> {
    if (this.isRunning) await new Promise((resolve) => this.#process.once('close', resolve));
    this.#agent?.destroy();
    this.#agent = undefined;
    return this.#process.exitCode;
  }

  /** Starts the server over the same data, after `kill`. Resolves when it is ready, or at once when not to `wait`. */
  async restart(options: { readonly wait?: boolean } = {}): Promise<void> {
    assert.ok(!this.isRunning, 'the server has ended');
    this.#process = this.#launch();
    if (options.wait !== false) await this.#ready();
  }

  /** Ends the server and removes its folder. */
  async stop(): Promise<void> {
    this.#agent?.destroy();
    if (this.isRunning) {
      const ended = new Promise((resolve) => this.#process.once('exit', resolve));
      this.#process.kill('SIGTERM');
      const late = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!this.#log.includes('kedge server is ready')) {
      assert.ok(this.isRunning, `the server ended at its start:\n${this.#log}`);
      assert.ok(Date.now() < deadline, `the server is not up in time:\n${this.#log}`);
      await delay(20);
    }
  }

  async #issueAdmin(): Promise<void> {
    const read = (name: string): string => readFileSync(join(this.folder, 'data/server/tls', name), 'utf8');
    const authority = { certificate: read('client-ca.crt'), key: read('client-ca.key') };
    const leaf: LeafSpec = {
      name: 'admin',
      issuer: 'client-ca',
      usage: 'client',
      commonName: 'admin',
      organizations: ['system:masters'],
      dnsNames: [],
      ipAddresses: [],
    };
    const pair = await issueCertificate(leaf, authority, Date.now());
    writeFileSync(this.tls.cert, pair.certificate);
    writeFileSync(this.tls.key, pair.key, { mode: 0o600 });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
