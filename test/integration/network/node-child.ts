/**
 * Runs inside a network namespace that plays the host: the real control plane and a node's network, with one Pod whose
 * network namespace is the argument. Prints what was seen as one line of JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from '../../../pkg/api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../pkg/api/generated/discovery-v1.ts';
import { endpointSlices, services } from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import { createLogger } from '../../../pkg/base/log.ts';
import { exec } from '../../../pkg/host/exec.ts';
import { createDns } from '../../../pkg/network/dns/dns.ts';
import { ensureDnsService } from '../../../pkg/network/dns/dns-service.ts';
import { createFlannel } from '../../../pkg/network/flannel/flannel.ts';
import { CNI_CONFIG_FILE } from '../../../pkg/network/names.ts';
import { createPodNetwork } from '../../../pkg/network/pod-network.ts';
import { createProxy } from '../../../pkg/network/proxy/proxy.ts';
import { NETWORK_LEFTOVERS, removeNetworkTraces } from '../../../pkg/network/teardown.ts';
import { startCluster } from '../controllers/cluster.ts';

const [podNamespace = ''] = process.argv.slice(2);
const DNS_ADDRESS = '10.43.0.10';
const CLUSTER_CIDR = '10.42.0.0/16';
const SERVICE_CIDR = '10.43.0.0/16';

const SERVER = `
require('node:net').createServer((socket) => socket.end('pod')).listen(8080, '0.0.0.0', () => console.log('ready'));`;
const LOOKUP = `
const resolver = new (require('node:dns').promises.Resolver)({ timeout: 1000, tries: 2 });
resolver.setServers(['${DNS_ADDRESS}']);
resolver.resolve4(process.argv[1]).then((found) => console.log(found.join(' ')), (error) => console.log(error.code));`;

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(50);
  }
  throw new Error(`${what} does not happen`);
}

function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    socket.on('data', (data) => resolve(String(data)));
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    socket.on('timeout', () => resolve('TIMEOUT'));
    socket.on('close', () => resolve('closed'));
  });
}

const dir = mkdtempSync(join(tmpdir(), 'kedge-node-net-'));
const lines: string[] = [];
const log = createLogger({ level: 'warn', write: (line) => lines.push(line), now: () => new Date() });
const cluster = await startCluster();
const { client } = cluster;
const shared = { client, nodeName: 'n1', clock: systemClock, log };
const cidrs = { clusterCIDRs: [CLUSTER_CIDR], serviceCIDRs: [SERVICE_CIDR] };
// A host without any address: it has nobody to talk to, and Pods all the same.
const flannel = createFlannel({ ...shared, nodeIPs: ['127.0.0.1'], backend: 'vxlan', iface: undefined });
const components = [
  flannel,
  createPodNetwork({ ...shared, ...cidrs, dataDir: dir, runDir: dir, cniDir: dir, mtu: flannel.mtu }),
  createDns({ ...shared, address: DNS_ADDRESS, domain: 'cluster.local', ownCIDRs: [], upstreams: [] }),
  createProxy({ ...shared, ...cidrs, servedHere: [DNS_ADDRESS] }),
];
const signal = new AbortController().signal;
const seen: Record<string, unknown> = {};
for (const component of components) {
  await component.start(signal);
  await component.ready();
}
await ensureDnsService(client, { clusterIP: DNS_ADDRESS });
await cluster.addNode('n1', '4');

const config = join(dir, CNI_CONFIG_FILE);
await until('CNI configuration', () => existsSync(config) || undefined);
const { plugins, ...list } = JSON.parse(readFileSync(config, 'utf8')) as { plugins: object[] };
const env = {
  PATH: process.env['PATH'],
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: podNamespace,
  CNI_NETNS: `/run/netns/${podNamespace}`,
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/usr/lib/cni',
};
const result = await exec(['/usr/lib/cni/bridge'], { env, input: JSON.stringify({ ...list, ...plugins[0] }) });
const podIP = (JSON.parse(result) as { ips: { address: string }[] }).ips[0]?.address.split('/')[0] ?? '';
const args = ['netns', 'exec', podNamespace, process.execPath, '-e', SERVER];
const server = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
await once(server.stdout, 'data');

const metadata = { name: 'web', namespace: 'default' };
const created = await client.create(services, {
  metadata,
  spec: { type: 'NodePort', ports: [{ port: 80, targetPort: 8080 }] },
} as Input<Service>);
await client.create(endpointSlices, {
  metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ port: 8080, protocol: 'TCP', name: '' }],
  endpoints: [{ addresses: [podIP], nodeName: 'n1' }],
} as Input<EndpointSlice>);
const clusterIP = created.spec.clusterIP ?? '';
const inPod = (script: string, ...rest: string[]): Promise<string> =>
  exec(['ip', 'netns', 'exec', podNamespace, process.execPath, '-e', script, ...rest]).then((text) => text.trim());
seen['clusterIP'] = await until('the Service', async () => ((await ask(clusterIP, 80)) === 'pod' ? 'pod' : undefined));
seen['loopbackNodePort'] = await ask('127.0.0.1', created.spec.ports?.[0]?.nodePort ?? 0);
seen['refused'] = await ask('10.43.200.200', 80);
seen['lookup'] = (await inPod(LOOKUP, 'web.default.svc.cluster.local')) === clusterIP;
seen['dnsService'] = await inPod(LOOKUP, 'kube-dns.kube-system.svc.cluster.local');
seen['missing'] = await inPod(LOOKUP, 'nothing.default.svc.cluster.local');
seen['offline'] = await inPod(LOOKUP, 'www.example.com');

for (const component of components.toReversed()) await component.stop();
seen['afterStop'] = await ask(clusterIP, 80);
server.kill('SIGKILL');
for (const { family, name } of NETWORK_LEFTOVERS.nftTables) {
  const tables = await exec(['nft', 'list', 'tables', family]);
  if (tables.includes(`${family} ${name}`)) await exec(['nft', 'delete', 'table', family, name]);
}
for (const device of NETWORK_LEFTOVERS.networkDevices) {
  if (existsSync(`/sys/class/net/${device}`)) await exec(['ip', 'link', 'delete', device]);
}
await removeNetworkTraces(exec, dir);
seen['rulesLeft'] = (await exec(['nft', 'list', 'ruleset'])).trim();
seen['addressesLeft'] = (await exec(['ip', '-4', '-brief', 'address'])).replaceAll(/\s+/g, ' ').trim();
seen['routesLeft'] = (await exec(['ip', '-4', 'route'])).trim();
await cluster.stop();
seen['complaints'] = [...lines, ...cluster.complaints];
rmSync(dir, { recursive: true, force: true });
console.log(JSON.stringify(seen));
