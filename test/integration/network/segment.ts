/** Several hosts on one network segment, each a network namespace with a bridge and a Pod; for tests between nodes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { ENDS_WITH_US } from '../../../packaging/dev/lib/private-host/private-host.ts';
import { exec } from '../../../pkg/host/exec.ts';
import { inNetworkNamespace, type RunProgram } from '../../../pkg/host/nft.ts';

/** Port 8080: a mebibyte and the client's address; 8081: a single byte; 8082: the server's address and the client's. */
const SERVER = `
require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  socket.write('x'.repeat(1 << 20));
  socket.end('from ' + socket.remoteAddress.replace('::ffff:', ''));
}).listen(8080, '0.0.0.0', () => console.log('ready'));
require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  socket.end('x');
}).listen(8081, '0.0.0.0');
require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  socket.end(socket.localAddress + ' ' + socket.remoteAddress);
}).listen(8082, '0.0.0.0');`;

/** Prints the end of what a server says, after the count of bytes; or the error's code. */
const CLIENT = `
let [size, text] = [0, ''];
const socket = require('node:net').connect({ host: process.argv[1], port: 8080, timeout: 1500 });
socket.on('data', (data) => { size += data.length; text = (text + data.subarray(-40)).slice(-40); });
socket.on('error', (error) => { console.log(error.code); process.exit(); });
socket.on('timeout', () => { console.log('TIMEOUT'); process.exit(); });
socket.on('end', () => console.log((size >> 20) + ' MiB ' + text.replace(/^x*/, '')));`;

/** Asks `count` times, one connection after another; prints an answer a line, or the error's code. */
const ASK = `
const [host, port, count] = process.argv.slice(1);
const ask = () => new Promise((resolve) => {
  let text = '';
  const socket = require('node:net').connect({ host, port: Number(port), timeout: 1500 });
  socket.on('data', (data) => { text += data; });
  socket.on('error', (error) => resolve(error.code));
  socket.on('timeout', () => { socket.destroy(); resolve('TIMEOUT'); });
  socket.on('end', () => resolve(text));
});
(async () => { for (let n = 0; n < Number(count); n++) console.log(await ask()); })();`;

export interface Host {
  readonly name: string;
  readonly address: string;
  readonly podIP: string;
  /** Runs a program on the host, and in its Pod. */
  readonly run: RunProgram;
  readonly inPod: RunProgram;
  /** Starts a server in its Pod that ends with the segment; resolves when it has said something. */
  serve(argv: readonly string[]): Promise<void>;
}

export class Segment {
  readonly #tag: string;
  readonly #namespaces: string[] = [];
  readonly #children: ChildProcess[] = [];

  constructor(tag: string) {
    this.#tag = tag;
  }

  async start(): Promise<void> {
    await this.#addNamespace(`${this.#tag}s`);
    const run = inNetworkNamespace(`${this.#tag}s`);
    await run(['ip', 'link', 'add', 'lan', 'type', 'bridge']);
    await run(['ip', 'link', 'set', 'lan', 'up']);
  }

  /** The host `number`, at 198.18.8.<number>, with a Pod at 10.42.<number>.2. */
  async addHost(number: number): Promise<Host> {
    const name = `${this.#tag}${number}`;
    for (const namespace of [name, `${name}p`]) await this.#addNamespace(namespace);
    const run = inNetworkNamespace(name);
    const inPod = inNetworkNamespace(`${name}p`);
    const address = `198.18.8.${number}`;
    const podIP = `10.42.${number}.2`;
    const port = ['type', 'veth', 'peer', 'name', `to${number}`, 'netns', `${this.#tag}s`];
    await run(['ip', 'link', 'add', 'eth0', ...port]);
    await run(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    const lan = inNetworkNamespace(`${this.#tag}s`);
    await lan(['ip', 'link', 'set', `to${number}`, 'master', 'lan', 'up']);
    await run(['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
    await run(['ip', 'address', 'add', `10.42.${number}.1/24`, 'dev', 'cni0']);
    await run([
      'ip',
      'link',
      'add',
      'pod',
      'master',
      'cni0',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      `${name}p`,
    ]);
    for (const link of ['eth0', 'cni0', 'pod']) await run(['ip', 'link', 'set', link, 'up']);
    // A Pod that reaches itself through a Service leaves and enters by the same port.
    await run(['bridge', 'link', 'set', 'dev', 'pod', 'hairpin', 'on']);
    await run(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await inPod(['ip', 'address', 'add', `${podIP}/24`, 'dev', 'eth0']);
    await inPod(['ip', 'link', 'set', 'eth0', 'up']);
    await inPod(['ip', 'route', 'add', 'default', 'via', `10.42.${number}.1`]);
    const serve = (argv: readonly string[]): Promise<void> => this.#serve(`${name}p`, argv);
    await serve([process.execPath, '-e', SERVER]);
    return { name: `node-${number}`, address, podIP, run, inPod, serve };
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const name of this.#namespaces) await exec(['ip', 'netns', 'delete', name]);
  }

  async #serve(namespace: string, argv: readonly string[]): Promise<void> {
    const [program = '', ...args] = [...ENDS_WITH_US, 'ip', 'netns', 'exec', namespace, ...argv];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    await once(child.stdout, 'data');
    // Nobody reads what else it says.
    child.stdout.resume();
  }

  async #addNamespace(name: string): Promise<void> {
    await exec(['ip', 'netns', 'add', name]);
    this.#namespaces.push(name);
    await exec(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
  }
}

/** What the server at `podIP` answers a client that `run` starts: `1 MiB from <the client's address>`. */
export async function fetchFrom(run: RunProgram, podIP: string): Promise<string> {
  return (await run([process.execPath, '-e', CLIENT, podIP])).trim();
}

/** The answers of `<server> <client>` to `count` connections. */
export async function askPods(run: RunProgram, address: string, port: number, count: number): Promise<string[]> {
  const output = await run([process.execPath, '-e', ASK, address, String(port), String(count)]);
  return output.trim().split('\n');
}

/** How flannel reads and writes files below /proc on a host. */
export function filesOf({ run }: Host): {
  read: (path: string) => Promise<string>;
  write: (path: string, text: string) => Promise<void>;
} {
  return {
    read: (path) => run(['cat', path]),
    write: async (path, text) => {
      await run(['tee', path], { input: text });
    },
  };
}
