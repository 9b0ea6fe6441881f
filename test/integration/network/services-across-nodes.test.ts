import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Node, Service } from '../../../pkg/api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../pkg/api/generated/discovery-v1.ts';
import { endpointSlices, nodes, services } from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import type { Component } from '../../../pkg/base/component.ts';
import { createLogger } from '../../../pkg/base/log.ts';
import { MemoryClient } from '../../../pkg/client/testing/memory-client.ts';
import { NftTableKeeper } from '../../../pkg/host/nft.ts';
import { createFlannel } from '../../../pkg/network/flannel/flannel.ts';
import { planPodTable } from '../../../pkg/network/pod-table.ts';
import { createProxy } from '../../../pkg/network/proxy/proxy.ts';
import { until } from '../../e2e/lib/until.ts';
import { proxyHost } from './proxy-host.ts';
import { askPods, filesOf, type Host, Segment } from './segment.ts';

/** Services whose Pods are on other nodes: three hosts with kedge's rules, a fourth machine that is no node. */

const CLUSTER_CIDR = '10.42.0.0/16';
const SERVICE_CIDR = '10.43.0.0/16';
const segment = new Segment(`ks${(process.pid % 46656).toString(36)}`);
const client = new MemoryClient(systemClock);
const lines: string[] = [];
const log = createLogger({ level: 'warn', write: (line) => lines.push(line), now: () => new Date() });
const hosts: Host[] = [];
const components: Component[] = [];
let outside: Host;

before(async () => {
  await segment.start();
  for (const number of [1, 2, 3]) hosts.push(await segment.addHost(number));
  outside = await segment.addHost(9);
  for (const host of hosts) {
    const { name, address, run } = host;
    const podCIDR = `10.42.${address.at(-1)}.0/24`;
    await client.create(nodes, { metadata: { name }, spec: { podCIDR, podCIDRs: [podCIDR] } } as Input<Node>);
    await run(['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=1', 'net.ipv4.conf.cni0.route_localnet=1']);
    await run(['ip', 'route', 'add', SERVICE_CIDR, 'dev', 'cni0']);
    const table = { family: 4, podCIDR, clusterCIDR: CLUSTER_CIDR, bridge: 'cni0', hostPorts: [] } as const;
    await new NftTableKeeper('ip', 'kedge-pods', run).apply(planPodTable({ ...table, bridgeNetfilter: true }));
    const shared = { client, nodeName: name, clock: systemClock, log, run };
    const cidrs = { clusterCIDRs: [CLUSTER_CIDR], serviceCIDRs: [SERVICE_CIDR], servedHere: [] };
    components.push(
      createFlannel({ ...shared, nodeIPs: [address], backend: 'vxlan', iface: undefined, ...filesOf(host) }),
      createProxy({ ...shared, ...cidrs, mode: 'nftables', host: proxyHost(run) }),
    );
  }
  for (const component of components) await component.start(new AbortController().signal);
});

after(async () => {
  for (const component of components.reverse()) await component.stop();
  await segment.stop();
  assert.deepEqual(lines, []);
});

function host(number: 1 | 2 | 3): Host {
  const found = hosts[number - 1];
  if (found === undefined) throw new Error(`there is no host ${number}`);
  return found;
}

/** A Service at port 80 with the Pods of `on` behind it; resolves when every node has its rules. */
async function putService(
  number: number,
  on: readonly Host[],
  spec: object,
): Promise<{ ip: string; nodePort: number }> {
  const metadata = { name: `s${number}`, namespace: 'default' };
  const ip = `10.43.0.${number}`;
  const nodePort = 30000 + number;
  const ports = [{ port: 80, targetPort: 8082, protocol: 'TCP', nodePort }];
  await client.create(services, { metadata, spec: { clusterIP: ip, ports, ...spec } } as Input<Service>);
  const endpoints = on.map(({ name, podIP }) => ({ addresses: [podIP], nodeName: name, conditions: { ready: true } }));
  await client.create(endpointSlices, {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': metadata.name } },
    addressType: 'IPv4',
    ports: [{ port: 8082, protocol: 'TCP' }],
    endpoints,
  } as Input<EndpointSlice>);
  for (const { run } of hosts) {
    const ruled = async (): Promise<boolean> => (await run(['nft', 'list', 'table', 'ip', 'kedge-proxy'])).includes(ip);
    await until(`${ip} is in the rules`, ruled);
  }
  return { ip, nodePort };
}

const servers = (answers: readonly string[]): string[] =>
  [...new Set(answers.map((answer) => answer.split(' ')[0] ?? ''))].sort();
const clients = (answers: readonly string[]): string[] =>
  [...new Set(answers.map((answer) => answer.split(' ')[1] ?? ''))].sort();

test('a cluster IP leads to Pods of every node, from Pods and hosts of every node; Pods keep their address', async () => {
  const { ip } = await putService(5, hosts, {});
  for (const from of hosts) {
    const answers = await askPods(from.inPod, ip, 80, 30);
    assert.deepEqual(
      servers(answers),
      hosts.map(({ podIP }) => podIP),
      `from the Pod of ${from.name}`,
    );
    // Through the Service to itself a Pod comes by way of its host.
    const gateway = from.podIP.replace(/2$/, '1');
    assert.deepEqual(clients(answers), [gateway, from.podIP], `from the Pod of ${from.name}`);
    assert.deepEqual(
      servers(await askPods(from.run, ip, 80, 30)),
      hosts.map(({ podIP }) => podIP),
      from.name,
    );
  }
});

test('a node port leads from everywhere, at every node, to a Pod of one of them', async () => {
  const { nodePort } = await putService(6, [host(2)], { type: 'NodePort' });
  for (const to of hosts) {
    for (const run of [...hosts.flatMap((from) => [from.inPod, from.run]), outside.run]) {
      assert.deepEqual(servers(await askPods(run, to.address, nodePort, 1)), [host(2).podIP], to.name);
    }
  }
  assert.deepEqual(servers(await askPods(host(1).run, '127.0.0.1', nodePort, 1)), [host(2).podIP]);
});

test('externalTrafficPolicy Local: nodes with a Pod serve and show the client, others do not', async () => {
  const { ip, nodePort } = await putService(7, [host(2)], { type: 'NodePort', externalTrafficPolicy: 'Local' });
  assert.deepEqual(await askPods(outside.run, host(2).address, nodePort, 1), [`${host(2).podIP} ${outside.address}`]);
  assert.deepEqual(await askPods(outside.run, host(1).address, nodePort, 1), ['TIMEOUT']);
  // The cluster's own Pods and hosts reach it all the same.
  assert.deepEqual(servers(await askPods(host(3).inPod, ip, 80, 1)), [host(2).podIP]);
  assert.deepEqual(servers(await askPods(host(1).inPod, host(1).address, nodePort, 1)), [host(2).podIP]);
  assert.deepEqual(servers(await askPods(host(1).run, host(1).address, nodePort, 1)), [host(2).podIP]);
});

test('internalTrafficPolicy Local: only Pods of the own node', async () => {
  const { ip } = await putService(8, [host(1), host(2)], { internalTrafficPolicy: 'Local' });
  assert.deepEqual(servers(await askPods(host(1).inPod, ip, 80, 10)), [host(1).podIP]);
  assert.deepEqual(servers(await askPods(host(2).inPod, ip, 80, 10)), [host(2).podIP]);
  assert.deepEqual(await askPods(host(3).inPod, ip, 80, 1), ['TIMEOUT']);
});

test('session affinity keeps a client with one Pod, wherever it runs', async () => {
  const { ip, nodePort } = await putService(9, hosts, { type: 'NodePort', sessionAffinity: 'ClientIP' });
  const pods = hosts.map(({ podIP }) => podIP);
  const one = (answers: readonly string[], from: string): void => {
    const [first = '', ...more] = servers(answers);
    assert.ok(pods.includes(first) && more.length === 0, `from ${from}: ${answers}`);
  };
  for (const from of hosts) {
    one(await askPods(from.inPod, ip, 80, 12), `the Pod of ${from.name}`);
    one(await askPods(from.run, ip, 80, 12), from.name);
  }
  one(await askPods(outside.run, host(3).address, nodePort, 12), 'outside');
});
