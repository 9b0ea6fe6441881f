import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Service } from '../../../pkg/api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../pkg/api/generated/discovery-v1.ts';
import { endpointSlices, services } from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { type Clock, systemClock } from '../../../pkg/base/clock.ts';
import { createLogger } from '../../../pkg/base/log.ts';
import { MemoryClient } from '../../../pkg/client/testing/memory-client.ts';
import { inNetworkNamespace, NftTableKeeper } from '../../../pkg/host/nft.ts';
import { planPodTable } from '../../../pkg/network/pod-table.ts';
import { createProxy } from '../../../pkg/network/proxy/proxy.ts';
import type { ProxyMode } from '../../../pkg/network/proxy/service-actor.ts';
import { until } from '../../e2e/lib/until.ts';
import { CLUSTER_CIDR, NODE_IP, NodeInNamespaces, OUTSIDE_IP, POD_CIDR, SERVICE_CIDR } from './cluster.ts';
import { hostState } from './host-state.ts';

/** What Services do, whatever carries them out. Declares the tests. */
export function proxyCases(mode: ProxyMode): void {
  const tag = `kn${(process.pid % 46656).toString(36)}`;
  const node = new NodeInNamespaces(tag);
  const client = new MemoryClient(systemClock);
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', write: (line) => lines.push(line), now: () => new Date() });
  const tableName = `${tag}-proxy`;
  const options = {
    client,
    nodeName: 'n1',
    clusterCIDRs: [CLUSTER_CIDR],
    serviceCIDRs: [SERVICE_CIDR],
    servedHere: [],
    clock: systemClock,
    log,
    tableName,
    mode,
    host: node,
  };
  /** Ten seconds pass in one or less. */
  const hurried: Clock = {
    now: () => systemClock.now(),
    setTimeout: (fn, ms) => systemClock.setTimeout(fn, ms >= 10_000 ? (mode === 'ipvs' ? 1500 : 200) : ms),
  };
  let proxy = createProxy(options);
  const addresses: string[] = [];

  /** Waits until what was written has come into force. */
  async function settled(): Promise<void> {
    // Events take a moment to arrive.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await proxy.inForce();
    const warning = lines.find((line) => line.includes('level=warn'));
    assert.equal(warning, undefined);
  }

  async function putService(name: string, clusterIP: string, spec: object, pods: readonly string[]): Promise<void> {
    const metadata = { name, namespace: 'default' };
    const ports = [
      { name: 'tcp', port: 80, protocol: 'TCP', targetPort: 8080 },
      { name: 'udp', port: 80, protocol: 'UDP', targetPort: 8080 },
    ];
    await client.create(services, { metadata, spec: { clusterIP, ports, ...spec } } as Input<Service>);
    await client.create(endpointSlices, sliceOf(name, pods));
    await settled();
  }

  function sliceOf(name: string, pods: readonly string[]): Input<EndpointSlice> {
    return {
      metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [
        { name: 'tcp', port: 8080, protocol: 'TCP' },
        { name: 'udp', port: 8080, protocol: 'UDP' },
      ],
      endpoints: pods.map((address) => ({ addresses: [address], nodeName: 'n1', conditions: { ready: true } })),
    };
  }

  async function putEndpoints(name: string, pods: readonly string[]): Promise<void> {
    await client.update(endpointSlices, sliceOf(name, pods));
    await settled();
  }

  const names = (answers: readonly string[]): string[] =>
    [...new Set(answers.map((text) => text.split(' ')[0] ?? ''))].sort();
  const sources = (answers: readonly string[]): string[] => [
    ...new Set(answers.map((text) => text.split(' ')[1] ?? '')),
  ];

  before(async () => {
    await node.start();
    for (const name of ['p1', 'p2', 'p3']) addresses.push(await node.addPod(name, 8080));
    await node.serve(node.outside, 'world', 9000);
    await proxy.start(new AbortController().signal);
  });

  after(async () => {
    await proxy.stop();
    await node.stop();
  });

  const damage = hostState(mode, node, tableName);

  test('a cluster IP leads to every endpoint, from the host without a default route, from Pods and from outside', async () => {
    await putService('web', '10.243.0.5', {}, addresses);
    for (const from of ['', 'p1', 'o']) {
      assert.deepEqual(names(await node.ask(from, '10.243.0.5', 80, 40)), ['p1', 'p2', 'p3'], `from ${from}`);
    }
    assert.deepEqual(sources(await node.ask('p1', '10.243.0.5', 80, 40)).sort(), [addresses[0], '10.242.0.1'].sort());
  });

  test('a Pod reaches itself through its own Service', async () => {
    await putService('self', '10.243.0.6', {}, addresses.slice(0, 1));
    assert.deepEqual(await node.ask('p1', '10.243.0.6', 80, 3), Array(3).fill('p1 10.242.0.1'));
  });

  test('node ports: by the node address, 127.0.0.1 and from Pods; policy Local keeps the source', async () => {
    const ports = [{ name: 'tcp', port: 80, nodePort: 30080, protocol: 'TCP' }];
    await putService('np', '10.243.0.7', { type: 'NodePort', ports }, addresses);
    for (const [from, address] of [
      ['o', NODE_IP],
      ['', NODE_IP],
      ['', '127.0.0.1'],
      ['p2', NODE_IP],
    ] as const) {
      assert.deepEqual(names(await node.ask(from, address, 30080, 40)), ['p1', 'p2', 'p3'], `${from} to ${address}`);
    }
    assert.deepEqual(sources(await node.ask('o', NODE_IP, 30080)), ['10.242.0.1']);
    const local = [{ name: 'tcp', port: 80, nodePort: 30081, protocol: 'TCP' }];
    await putService(
      'npl',
      '10.243.0.8',
      { type: 'NodePort', ports: local, externalTrafficPolicy: 'Local' },
      addresses,
    );
    assert.deepEqual(sources(await node.ask('o', NODE_IP, 30081, 10)), [OUTSIDE_IP]);
  });

  test('session affinity keeps a client with one endpoint', async () => {
    await putService('sticky', '10.243.0.9', { sessionAffinity: 'ClientIP' }, addresses);
    const seen = new Set<string>();
    for (const from of ['', 'p1', 'p2', 'p3', 'o']) {
      const answers = names(await node.ask(from, '10.243.0.9', 80, 12));
      assert.equal(answers.length, 1, `from ${from}: ${answers}`);
      seen.add(answers[0] ?? '');
    }
    const [only = ''] = names(await node.ask('o', '10.243.0.9', 80));
    await putEndpoints(
      'sticky',
      addresses.filter((_, index) => `p${index + 1}` !== only),
    );
    const moved = names(await node.ask('o', '10.243.0.9', 80, 12));
    assert.equal(moved.length, 1);
    assert.notEqual(moved[0], only);
  });

  test('external addresses: for everybody, or for the allowed sources of a load balancer', async () => {
    await putService('ext', '10.243.0.10', { externalIPs: ['203.0.113.7'] }, addresses);
    assert.deepEqual(names(await node.ask('o', '203.0.113.7', 80, 30)), ['p1', 'p2', 'p3']);
    for (const [name, range, answer] of [
      ['lb1', `${OUTSIDE_IP}/32`, 'p1'],
      ['lb2', '192.0.2.0/24', 'TIMEOUT'],
    ] as const) {
      const ip = name === 'lb1' ? '203.0.113.8' : '203.0.113.9';
      const spec = { type: 'LoadBalancer', loadBalancerSourceRanges: [range] };
      await putService(name, name === 'lb1' ? '10.243.0.11' : '10.243.0.12', spec, addresses.slice(0, 1));
      const object = await client.get(services, name, 'default');
      await client.update(
        services,
        { ...object, status: { loadBalancer: { ingress: [{ ip }] } } },
        { subresource: 'status' },
      );
      await settled();
      assert.deepEqual(names(await node.ask('o', ip, 80)), [answer], name);
    }
  });

  test('endpoints that go get no more connections; none at all, and unknown cluster IPs, are refused at once', async () => {
    await putService('less', '10.243.0.13', {}, addresses);
    await putEndpoints('less', addresses.slice(1));
    assert.deepEqual(names(await node.ask('p1', '10.243.0.13', 80, 30)), ['p2', 'p3']);
    await putEndpoints('less', []);
    for (const from of ['', 'p1']) {
      assert.deepEqual(await node.ask(from, '10.243.0.13', 80), ['ECONNREFUSED'], `from ${from}`);
      assert.deepEqual(await node.ask(from, '10.243.9.9', 80), ['ECONNREFUSED'], `unknown, from ${from}`);
    }
  });

  test('UDP clients move on when their endpoint goes, though they keep sending', async () => {
    await putService('udp', '10.243.0.14', {}, addresses.slice(0, 1));
    const asking = node.udp('p2', '10.243.0.14', 80, 2);
    assert.deepEqual(names(await asking.answers()), ['p1']);
    await putEndpoints('udp', addresses.slice(2));
    asking.again();
    assert.deepEqual(names(await asking.answers()), ['p3']);
  });

  test('Pods reach the world with the node address; host ports lead to Pods', {
    skip: mode === 'ipvs' ? "the guest's kernel has no nftables" : false,
  }, async () => {
    const keeper = new NftTableKeeper('ip', `${tag}-pods`, node.run);
    const podIP = addresses[1] ?? '';
    const input = { family: 4, podCIDR: POD_CIDR, clusterCIDR: CLUSTER_CIDR, bridge: node.bridge } as const;
    const port = { protocol: 'tcp', podIP, containerPort: 8080 } as const;
    const hostPorts = [
      { ...port, hostIP: undefined, hostPort: 8888 },
      { ...port, hostIP: NODE_IP, hostPort: 8889 },
    ];
    await keeper.apply(planPodTable({ ...input, hostPorts, bridgeNetfilter: true, tableName: `${tag}-pods` }));
    assert.deepEqual(await node.ask('p1', OUTSIDE_IP, 9000), [`world ${NODE_IP}`]);
    assert.deepEqual(await node.ask('o', NODE_IP, 8888), [`p2 ${OUTSIDE_IP}`]);
    assert.deepEqual(await node.ask('o', NODE_IP, 8889), [`p2 ${OUTSIDE_IP}`]);
    assert.deepEqual(names(await node.ask('', '127.0.0.1', 8888)), ['p2']);
    assert.deepEqual(names(await node.ask('p2', NODE_IP, 8888)), ['p2']);
    // Without br_netfilter the reply of a Pod to its neighbour has to be led through the host.
    await node.run(['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=0']);
    await keeper.apply(planPodTable({ ...input, hostPorts: [], bridgeNetfilter: false, tableName: `${tag}-pods` }));
    assert.deepEqual(names(await node.ask('p1', '10.243.0.5', 80, 40)), ['p1', 'p2', 'p3']);
    await node.run(['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=1']);
    // The host's loopback is not the Pods' to use.
    await node.serve(node.host, 'secret', 9100);
    const pod = inNetworkNamespace(`${tag}p1`);
    await pod(['sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1']);
    await pod(['ip', 'link', 'set', 'lo', 'down']);
    await pod(['ip', 'route', 'del', 'local', '127.0.0.0/8', 'table', 'local']).catch(() => undefined);
    await pod(['ip', 'route', 'add', '127.0.0.0/8', 'via', '10.242.0.1']);
    assert.notDeepEqual(names(await node.ask('p1', '127.0.0.1', 9100)), ['secret']);
    await keeper.remove();
  });

  test('a restart replaces the rules, even strange ones', async () => {
    await proxy.stop();
    await damage.strange();
    await client.delete(services, 'np', { namespace: 'default' });
    assert.deepEqual(names(await node.ask('p1', '10.243.0.5', 80, 30)), ['p1', 'p2', 'p3'], 'while it is stopped');
    proxy = createProxy({ ...options, clock: hurried });
    await proxy.start(new AbortController().signal);
    await settled();
    assert.doesNotMatch(await damage.everything(), /stale|30080|9999/);
    assert.deepEqual(names(await node.ask('p1', '10.243.0.5', 80, 30)), ['p1', 'p2', 'p3']);
  });

  test('rules that somebody flushes come back by themselves', async () => {
    await damage.flush();
    assert.notDeepEqual(names(await node.ask('', '10.243.0.5', 80)), ['p1']);
    const back = async (): Promise<boolean> =>
      names(await node.ask('', '10.243.0.5', 80, 1))[0]?.startsWith('p') === true;
    await until('the rules are back', back, { timeoutMs: 120_000 });
    // The proxy may have been at work when the rules went, and have said so.
    lines.length = 0;
    await client.update(endpointSlices, sliceOf('web', addresses.slice(1)));
    await settled();
    // IPVS drops packets of connections it remembers when their virtual server went: not at the first attempt.
    await until(
      'the new endpoints serve',
      async () => names(await node.ask('p2', '10.243.0.5', 80, 30)).join(' ') === 'p2 p3',
      { timeoutMs: 120_000 },
    );
  });

  test('clean-up leaves nothing', async () => {
    await proxy.stop();
    await proxy.cleanup();
    assert.equal(await damage.everything(), '');
  });
}
