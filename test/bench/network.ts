import { setTimeout as delay } from 'node:timers/promises';
import { ensureNamedPackages } from '../../packaging/dev/lib/apt.ts';
import { type Benchmark, type Figure, percentiles } from '../../packaging/dev/lib/benchmark.ts';
import type { Node, Service } from '../../pkg/api/generated/core-v1.ts';
import type { EndpointSlice } from '../../pkg/api/generated/discovery-v1.ts';
import { endpointSlices, nodes, services } from '../../pkg/api/resources.ts';
import type { Input } from '../../pkg/api/types.ts';
import { systemClock } from '../../pkg/base/clock.ts';
import type { Component } from '../../pkg/base/component.ts';
import { silentLogger } from '../../pkg/base/log.ts';
import { MemoryClient } from '../../pkg/client/testing/memory-client.ts';
import { NftTableKeeper, type RunProgram } from '../../pkg/host/nft.ts';
import { hostSysctl } from '../../pkg/host/sysctl.ts';
import { createFlannel } from '../../pkg/network/flannel/flannel.ts';
import { planPodTable } from '../../pkg/network/pod-table.ts';
import { createProxy } from '../../pkg/network/proxy/proxy.ts';
import { until } from '../e2e/lib/until.ts';
import { fetchFrom, filesOf, type Host, Segment } from '../integration/network/segment.ts';
import { CONNECTOR } from './lib/connector.ts';
import { processorTimeWithChildren } from './lib/process-usage.ts';

const ROUNDS = 5;
const SECONDS_EACH = 2;
const CONNECTIONS = 1500;
const SERVICES = 1000;
const CHANGES = 300;
const MTU = 1450;
const CLUSTER_CIDR = '10.42.0.0/16';
const SERVICE_CIDR = '10.43.0.0/16';
const CLUSTER_IP = '10.43.0.5';
const PORT = 5201;

/**
 * The packet path in network namespaces: kedge's own flannel, Pod table and Service proxy against a VXLAN device set up
 * by hand without any rules, in turns; and how soon a change of endpoints is in force.
 */
export const benchmark: Benchmark = {
  name: 'Network',
  async run() {
    await ensureNamedPackages(['iperf3']);
    const tag = `kb${(process.pid % 46656).toString(36)}`;
    const lans = { kedge: new Segment(`${tag}k`), bare: new Segment(`${tag}b`) };
    const components: Component[] = [];
    try {
      const kedge = await pairOf(lans.kedge);
      const bare = await pairOf(lans.bare);
      await setUpByHand(bare);
      const client = new MemoryClient(systemClock);
      const rules = await setUpKedge(kedge, client, components);
      for (const [, server] of [kedge, bare]) await server.serve(['iperf3', '--server', '--forceflush']);
      const speeds = await throughput(kedge, bare);
      // A machine has one proxy.
      await rules.otherProxy.stop();
      return [...speeds, ...(await programming(client, rules))];
    } finally {
      for (const component of components.reverse()) await component.stop();
      for (const lan of Object.values(lans)) await lan.stop();
    }
  },
};

type Pair = readonly [client: Host, server: Host];

/** Two hosts whose Pods are ready for the smaller packets of an overlay. */
async function pairOf(lan: Segment): Promise<Pair> {
  await lan.start();
  const pair = [await lan.addHost(1), await lan.addHost(2)] as const;
  for (const { run, inPod } of pair) {
    for (const device of ['cni0', 'pod']) await run(['ip', 'link', 'set', device, 'mtu', String(MTU)]);
    await inPod(['ip', 'link', 'set', 'eth0', 'mtu', String(MTU)]);
    await run(['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=1']);
  }
  return pair;
}

async function setUpByHand(pair: Pair): Promise<void> {
  for (const [own, other] of [pair, pair.toReversed() as [Host, Host]]) {
    const mac = (host: Host): string => `02:00:00:00:00:0${host.address.at(-1)}`;
    const number = (host: Host): string => host.address.at(-1) ?? '';
    const lines = [
      `link add vx type vxlan id 1 local ${own.address} dev eth0 dstport 8472 nolearning`,
      `link set vx address ${mac(own)} mtu ${MTU} up`,
      `address add 10.42.${number(own)}.0/32 dev vx`,
      `neigh add 10.42.${number(other)}.0 lladdr ${mac(other)} dev vx nud permanent`,
      `route add 10.42.${number(other)}.0/24 via 10.42.${number(other)}.0 dev vx onlink`,
    ];
    await own.run(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
    await own.run(['bridge', 'fdb', 'add', mac(other), 'dev', 'vx', 'dst', other.address]);
  }
}

interface Rules {
  /** Times at which the proxy of the first host had rules in force, in the order of its transactions. */
  readonly applied: number[];
  /** That of the second host. */
  readonly otherProxy: Component;
}

async function setUpKedge(pair: Pair, client: MemoryClient, components: Component[]): Promise<Rules> {
  const shared = { client, clock: systemClock, log: silentLogger };
  const applied: number[] = [];
  const proxies: Component[] = [];
  const signal = new AbortController().signal;
  await writeServices(client, pair[1].podIP);
  for (const host of pair) {
    const { name, address, run } = host;
    const podCIDR = `10.42.${address.at(-1)}.0/24`;
    await client.create(nodes, { metadata: { name }, spec: { podCIDR, podCIDRs: [podCIDR] } } as Input<Node>);
    const flannel = {
      nodeName: name,
      nodeIPs: [address],
      backend: 'vxlan',
      iface: undefined,
      run,
      ...filesOf(host),
    } as const;
    const table = { family: 4, podCIDR, clusterCIDR: CLUSTER_CIDR, bridge: 'cni0', hostPorts: [] } as const;
    await new NftTableKeeper('ip', 'kedge-pods', run).apply(planPodTable({ ...table, bridgeNetfilter: true }));
    const noted: RunProgram = async (argv, options) => {
      const output = await run(argv, options);
      if (name === pair[0].name && argv[0] === 'nft' && argv[1] === '-f') applied.push(performance.now());
      return output;
    };
    const proxyHost = { run: noted, sysctl: hostSysctl, localAddresses: () => Promise.resolve([address]) };
    const cidrs = { clusterCIDRs: [CLUSTER_CIDR], serviceCIDRs: [SERVICE_CIDR], servedHere: [] };
    const proxy = createProxy({ ...shared, ...cidrs, nodeName: name, mode: 'nftables', host: proxyHost });
    proxies.push(proxy);
    for (const component of [createFlannel({ ...shared, ...flannel }), proxy]) {
      await component.start(signal);
      components.push(component);
    }
  }
  const [from, to] = pair;
  const reached = async (): Promise<boolean> => (await fetchFrom(from.inPod, to.podIP)).startsWith('1 MiB');
  await until('Pods reach each other', reached);
  await until('rules are in force', () => applied.length > 0);
  const [, otherProxy] = proxies;
  if (otherProxy === undefined) throw new Error('there is no second host');
  return { applied, otherProxy };
}

/** The Service that is measured, and as many others as a large cluster has. */
async function writeServices(client: MemoryClient, podIP: string): Promise<void> {
  for (let n = 0; n < SERVICES; n++) {
    const metadata = { name: `s${n}`, namespace: 'default' };
    const clusterIP = n === 0 ? CLUSTER_IP : `10.43.${16 + (n >> 8)}.${n & 255}`;
    const port = { name: 'main', port: n === 0 ? PORT : 80, protocol: 'TCP' };
    const second = { name: 'connect', port: 8081, targetPort: 8081, protocol: 'TCP' };
    await client.create(services, { metadata, spec: { clusterIP, ports: [port, second] } } as Input<Service>);
    const addresses = n === 0 ? [podIP] : [`10.42.9.${n & 127}`, `10.42.9.${128 + (n & 63)}`];
    await client.create(endpointSlices, sliceOf(n, addresses));
  }
}

function sliceOf(n: number, addresses: readonly string[]): Input<EndpointSlice> {
  return {
    metadata: { name: `s${n}`, namespace: 'default', labels: { 'kubernetes.io/service-name': `s${n}` } },
    addressType: 'IPv4',
    ports: [
      { name: 'main', port: n === 0 ? PORT : 8080, protocol: 'TCP' },
      { name: 'connect', port: 8081, protocol: 'TCP' },
    ],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

async function throughput(kedge: Pair, bare: Pair): Promise<Figure[]> {
  const sides = {
    bare: { from: bare[0].inPod, to: bare[1].podIP, port: 8081 },
    kedge: { from: kedge[0].inPod, to: kedge[1].podIP, port: 8081 },
    service: { from: kedge[0].inPod, to: CLUSTER_IP, port: 8081 },
  };
  const names = ['bare', 'kedge', 'service'] as const;
  const speed = { bare: [] as number[], kedge: [] as number[], service: [] as number[] };
  const connect = { bare: [] as number[], kedge: [] as number[], service: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const { from, to, port } = sides[name];
      const report = await from(['iperf3', '--client', to, '--time', String(SECONDS_EACH), '--json']);
      const { end } = JSON.parse(report) as { end: { sum_received: { bits_per_second: number } } };
      speed[name].push(end.sum_received.bits_per_second / 1e9);
      const script = [process.execPath, '-e', CONNECTOR, to, String(port), String(CONNECTIONS)] as const;
      connect[name].push(Number(await from(script)));
    }
  }
  const middle = (values: readonly number[]): number => percentiles(values).p50;
  const gbit = (name: keyof typeof speed): string => `${middle(speed[name]).toFixed(2)} Gbit/s`;
  const ratio = (a: readonly number[], b: readonly number[]): string =>
    `${middle(a.map((value, n) => value / (b[n] ?? Number.NaN))).toFixed(2)} ×`;
  const µs = (name: keyof typeof connect): string => `${middle(connect[name]).toFixed(0)} µs`;
  return [
    { what: 'one TCP stream between Pods of two nodes, VXLAN device set up by hand', measured: gbit('bare') },
    { what: "the same over kedge's VXLAN, with its rules", measured: gbit('kedge') },
    { what: 'kedge to by hand, pair by pair, p50', measured: ratio(speed.kedge, speed.bare) },
    { what: `the same to a cluster IP (nftables, ${SERVICES} Services)`, measured: gbit('service') },
    {
      what: 'cluster IP to direct, pair by pair, p50',
      measured: ratio(speed.service, speed.kedge),
    },
    {
      what: 'connect and first byte, p50: by hand; kedge; cluster IP',
      measured: names.map(µs).join('; '),
    },
    { what: 'cluster IP to direct, connect and first byte', measured: ratio(connect.service, connect.kedge) },
  ];
}

/** From the event of a changed EndpointSlice to rules in force. */
async function programming(client: MemoryClient, rules: Rules): Promise<Figure[]> {
  const times: number[] = [];
  const processorTime = processorTimeWithChildren();
  for (let n = 0; n < CHANGES; n++) {
    const before = rules.applied.length;
    const begun = performance.now();
    await client.update(
      endpointSlices,
      sliceOf(1 + (n % (SERVICES - 1)), [`10.42.7.${n % 250}`, `10.42.8.${n % 250}`]),
    );
    await until('rules have changed', () => rules.applied.length > before, { intervalMs: 2 });
    times.push((rules.applied[before] ?? 0) - begun);
    // Past the interval in which changes are gathered: what counts is a change that comes alone.
    await delay(60);
  }
  const { p50, p99 } = percentiles(times);
  const each = (processorTimeWithChildren() - processorTime) / CHANGES;
  return [
    {
      what: `endpoint change → rules in force, ${SERVICES} Services of 2 ports, ${CHANGES} changes`,
      measured: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
      target: 'p99 ≤ 1 s',
    },
    { what: 'processor time of a change, nft included', measured: `${each.toFixed(0)} ms` },
  ];
}
