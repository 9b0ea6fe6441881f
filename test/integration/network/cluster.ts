/** A node with Pods and an outside client, made of network namespaces; for tests of the packet path. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec } from '../../../pkg/host/exec.ts';
import { inNetworkNamespace, type RunProgram } from '../../../pkg/host/nft.ts';
import { planCniConfig } from '../../../pkg/network/cni-config.ts';
import type { ProxyHost } from '../../../pkg/network/proxy/proxy.ts';
import { proxyHost } from './proxy-host.ts';

export const POD_CIDR = '10.242.0.0/24';
export const CLUSTER_CIDR = '10.242.0.0/16';
export const SERVICE_CIDR = '10.243.0.0/16';
/** The node's address, and that of a client on its network. */
export const NODE_IP = '198.18.7.1';
export const OUTSIDE_IP = '198.18.7.2';

/** Answers every TCP connection and UDP datagram on a port with `<name> <client address>`. */
const SERVER = `
const [name, port] = process.argv.slice(1);
const plain = (address) => address.replace('::ffff:', '');
require('node:net').createServer((socket) => {
  socket.on('error', () => {});
  socket.end(name + ' ' + plain(socket.remoteAddress) + '\\n');
}).listen(Number(port), '0.0.0.0', () => {
  const udp = require('node:dgram').createSocket('udp4');
  udp.on('message', (_, peer) => udp.send(name + ' ' + peer.address, peer.port, peer.address));
  udp.bind(Number(port), () => console.log('ready'));
});`;

/** Asks \`count\` times, prints one answer per line: the text, or the error's code. */
const TCP_CLIENT = `
const [host, port, count] = process.argv.slice(1);
const ask = () => new Promise((resolve) => {
  let text = '';
  const socket = require('node:net').connect({ host, port: Number(port), timeout: 3000 });
  socket.on('data', (data) => { text += data; });
  socket.on('error', (error) => resolve(error.code));
  socket.on('timeout', () => { socket.destroy(); resolve('TIMEOUT'); });
  socket.on('end', () => resolve(text.trim()));
});
(async () => { for (let i = 0; i < Number(count); i++) console.log(await ask()); })();`;

/** The same by UDP, all from one source port: the second half of the questions after a line on stdin. */
const UDP_CLIENT = `
const [host, port, count] = process.argv.slice(1);
const udp = require('node:dgram').createSocket('udp4');
let got;
udp.on('message', (data) => got?.(String(data)));
const ask = () => new Promise((resolve) => {
  const timer = setTimeout(() => resolve('TIMEOUT'), 3000);
  got = (text) => { clearTimeout(timer); resolve(text); };
  udp.send('x', Number(port), host);
});
(async () => {
  for (let i = 0; i < Number(count); i++) console.log(await ask());
  process.stdin.once('data', async () => {
    for (let i = 0; i < Number(count); i++) console.log(await ask());
    process.exit();
  });
  process.stdin.once('end', () => process.exit());
})();`;

export class NodeInNamespaces {
  readonly tag: string;
  readonly host: string;
  readonly outside: string;
  readonly bridge: string;
  readonly run: RunProgram;
  readonly #leases = mkdtempSync(join(tmpdir(), 'kedge-net-'));
  readonly #namespaces: string[] = [];
  readonly #children: ChildProcess[] = [];

  constructor(tag: string) {
    this.tag = tag;
    this.host = `${tag}h`;
    this.outside = `${tag}o`;
    this.bridge = `${tag}b`;
    this.run = inNetworkNamespace(this.host);
  }

  get sysctl(): ProxyHost['sysctl'] {
    return proxyHost(this.run).sysctl;
  }

  localAddresses(): Promise<readonly string[]> {
    return proxyHost(this.run).localAddresses();
  }

  /** Makes the host and the outside; the host has no default route. */
  async start(): Promise<void> {
    for (const name of [this.host, this.outside]) await this.#addNamespace(name);
    await this.run(['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.outside]);
    await this.run(['ip', 'address', 'add', `${NODE_IP}/24`, 'dev', 'eth0']);
    await this.run(['ip', 'link', 'set', 'eth0', 'up']);
    const outside = inNetworkNamespace(this.outside);
    await outside(['ip', 'address', 'add', `${OUTSIDE_IP}/24`, 'dev', 'eth0']);
    await outside(['ip', 'link', 'set', 'eth0', 'up']);
    // Requests to cluster IPs and external addresses that somebody routes to this node.
    await outside(['ip', 'route', 'add', 'default', 'via', NODE_IP]);
    await this.run(['ip', 'link', 'add', this.bridge, 'type', 'bridge']);
    await this.run(['ip', 'link', 'set', this.bridge, 'up']);
    await this.run(['ip', 'route', 'add', SERVICE_CIDR, 'dev', this.bridge]);
    const settings = ['net.ipv4.ip_forward=1', `net.ipv4.conf.${this.bridge}.route_localnet=1`];
    await this.run(['sysctl', '-qw', ...settings, 'net.bridge.bridge-nf-call-iptables=1']);
  }

  /** A Pod's network namespace attached by the real CNI plugin with kedge's configuration, serving on `ports`. */
  async addPod(name: string, ...ports: number[]): Promise<string> {
    const namespace = `${this.tag}${name}`;
    await this.#addNamespace(namespace);
    const input = { podCIDRs: [POD_CIDR], leaseDir: this.#leases, bridge: this.bridge, network: this.tag, mtu: 1450 };
    const { plugins, ...list } = planCniConfig(input) as { plugins: object[] };
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: namespace,
      CNI_NETNS: `/run/netns/${namespace}`,
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/usr/lib/cni',
    };
    const answer = await this.run(['/usr/lib/cni/bridge'], { env, input: JSON.stringify({ ...list, ...plugins[0] }) });
    const { ips } = JSON.parse(answer) as { ips: { address: string }[] };
    for (const port of ports) await this.serve(namespace, name, port);
    return (ips[0]?.address ?? '').split('/')[0] ?? '';
  }

  /** A server in a namespace; resolves when it listens. */
  async serve(namespace: string, name: string, port: number): Promise<void> {
    const args = ['netns', 'exec', namespace, process.execPath, '-e', SERVER, name, String(port)];
    const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
  }

  /** The answers to `count` TCP connections from a namespace (`''`: the host). */
  async ask(from: string, address: string, port: number, count = 1): Promise<string[]> {
    const run = inNetworkNamespace(from === '' ? this.host : `${this.tag}${from}`);
    const output = await run([process.execPath, '-e', TCP_CLIENT, address, String(port), String(count)]);
    return output.trim().split('\n');
  }

  /** A UDP client that asks `count` times now, and again, from the same port, when told to. */
  udp(from: string, address: string, port: number, count: number): { answers(): Promise<string[]>; again(): void } {
    const args = ['netns', 'exec', `${this.tag}${from}`, process.execPath, '-e', UDP_CLIENT, address, String(port)];
    const child = spawn('ip', [...args, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.push(child);
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    return {
      again: () => child.stdin.write('go\n'),
      async answers() {
        while (text.split('\n').length <= count) await new Promise((resolve) => setTimeout(resolve, 10));
        const lines = text.trim().split('\n');
        text = '';
        return lines;
      },
    };
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const name of this.#namespaces) await exec(['ip', 'netns', 'delete', name]);
    rmSync(this.#leases, { recursive: true, force: true });
  }

  async #addNamespace(name: string): Promise<void> {
    await exec(['ip', 'netns', 'add', name]);
    this.#namespaces.push(name);
    await exec(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
  }
}
