import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Node } from '../../../pkg/api/generated/core-v1.ts';
import { nodes } from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import { createLogger } from '../../../pkg/base/log.ts';
import { MemoryClient } from '../../../pkg/client/testing/memory-client.ts';
import { createFlannel, type Flannel } from '../../../pkg/network/flannel/flannel.ts';
import { until } from '../../e2e/lib/until.ts';
import { fetchFrom, filesOf, type Host, Segment } from './segment.ts';

const segment = new Segment(`kf${(process.pid % 46656).toString(36)}`);
const client = new MemoryClient(systemClock);
const lines: string[] = [];
const log = createLogger({ level: 'info', write: (line) => lines.push(line), now: () => new Date() });
const hosts: Host[] = [];
const running = new Map<string, Flannel>();

async function startFlannel(host: Host, backend: 'vxlan' | 'host-gw' = 'vxlan'): Promise<Flannel> {
  const flannel = createFlannel({
    client,
    nodeName: host.name,
    nodeIPs: [host.address],
    backend,
    iface: undefined,
    clock: systemClock,
    log: log.child(host.name),
    run: host.run,
    ...filesOf(host),
    glanceMs: 500,
  });
  await flannel.start(new AbortController().signal);
  running.set(host.name, flannel);
  return flannel;
}

async function stopFlannel(host: Host): Promise<void> {
  await running.get(host.name)?.stop();
  running.delete(host.name);
}

function host(number: number): Host {
  const found = hosts[number - 1];
  if (found === undefined) throw new Error(`there is no host ${number}`);
  return found;
}

/** Every Pod reaches every other one, and sees its address. */
async function allReachEachOther(timeoutMs = 60_000): Promise<void> {
  for (const from of hosts) {
    for (const to of hosts.filter((other) => other !== from)) {
      await until(
        `${from.name}'s Pod reaches ${to.name}'s`,
        async () => (await fetchFrom(from.inPod, to.podIP)) === `1 MiB from ${from.podIP}`,
        { timeoutMs },
      );
    }
  }
}

async function untilRoute(route: RegExp): Promise<void> {
  await until(`host 1 has ${route}`, async () => route.test(await host(1).run(['ip', 'route'])), { timeoutMs: 60_000 });
}

const macOf = async ({ run }: Host): Promise<string> => (await run(['cat', '/sys/class/net/flannel.1/address'])).trim();

before(async () => {
  await segment.start();
  for (const number of [1, 2]) await addNode(number);
});

async function addNode(number: number): Promise<void> {
  const added = await segment.addHost(number);
  hosts.push(added);
  const podCIDR = `10.42.${number}.0/24`;
  await client.create(nodes, { metadata: { name: added.name }, spec: { podCIDR, podCIDRs: [podCIDR] } } as Input<Node>);
}

after(async () => {
  for (const flannel of running.values()) await flannel.stop();
  await segment.stop();
});

test('Pods of two nodes reach each other with their own addresses; hosts reach Pods; packets fit', async () => {
  for (const each of hosts) {
    const flannel = await startFlannel(each);
    assert.equal(flannel.mtu(), 1450);
  }
  await allReachEachOther();
  // The host speaks with its address among the tunnels: the other node knows the way back.
  assert.equal(await fetchFrom(host(1).run, host(2).podIP), '1 MiB from 10.42.1.0');
  const { annotations } = await client.get(nodes, 'node-1').then(({ metadata }) => metadata);
  assert.deepEqual(annotations, {
    'flannel.alpha.coreos.com/backend-data': JSON.stringify({ VNI: 1, VtepMAC: await macOf(host(1)) }),
    'flannel.alpha.coreos.com/backend-type': 'vxlan',
    'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
    'flannel.alpha.coreos.com/public-ip': '198.18.8.1',
  });
  const condition = client.objects(nodes)[0]?.status.conditions?.[0];
  assert.deepEqual(
    [condition?.type, condition?.status, condition?.reason],
    ['NetworkUnavailable', 'False', 'FlannelIsUp'],
  );
  const [link] = JSON.parse(await host(1).run(['ip', '-json', '-details', 'link', 'show', 'flannel.1'])) as {
    mtu: number;
    linkinfo: { info_data: { id: number; port: number; learning: boolean; local: string } };
  }[];
  assert.equal(link?.mtu, 1450);
  const { id, port, learning, local } = link.linkinfo.info_data;
  assert.deepEqual({ id, port, learning, local }, { id: 1, port: 8472, learning: false, local: '198.18.8.1' });
});

test('a node that joins is reached, one that is removed is forgotten', async () => {
  await addNode(3);
  await startFlannel(host(3));
  await allReachEachOther();
  await stopFlannel(host(3));
  await client.delete(nodes, 'node-3');
  await until('node 3 is forgotten', async () => {
    const { run } = host(1);
    const left = await Promise.all([
      run(['ip', 'route']),
      run(['ip', 'neigh', 'show', 'dev', 'flannel.1', 'nud', 'permanent']),
      run(['bridge', 'fdb', 'show', 'dev', 'flannel.1']),
    ]);
    return !/10\.42\.3\.|198\.18\.8\.3/.test(left.join(' '));
  });
  hosts.pop();
  await allReachEachOther();
});

test('the hardware address outlives restarts and the device; what others took away comes back', async () => {
  const mac = await macOf(host(1));
  await stopFlannel(host(1));
  assert.equal(await fetchFrom(host(2).inPod, host(1).podIP), `1 MiB from ${host(2).podIP}`, 'while it is stopped');
  await host(1).run(['ip', 'link', 'delete', 'flannel.1']);
  await startFlannel(host(1));
  await allReachEachOther();
  assert.equal(await macOf(host(1)), mac);
  for (const drift of [
    ['ip', 'route', 'delete', '10.42.2.0/24'],
    ['ip', 'neigh', 'flush', 'dev', 'flannel.1', 'nud', 'permanent'],
    ['ip', 'link', 'set', 'flannel.1', 'down'],
    ['ip', 'link', 'delete', 'flannel.1'],
  ] as const) {
    await host(1).run(drift);
    await allReachEachOther(10_000);
  }
});

test('a device of former times is replaced; a changed address of a node reaches the others', async () => {
  await stopFlannel(host(2));
  const { run } = host(2);
  await run(['ip', 'link', 'delete', 'flannel.1']);
  await run(['ip', 'link', 'add', 'flannel.1', 'type', 'vxlan', 'id', '7', 'dstport', '8472', 'dev', 'eth0']);
  await run(['ip', 'route', 'add', '10.42.9.0/24', 'dev', 'cni0', 'proto', '107']);
  await run(['ip', 'address', 'del', '198.18.8.2/24', 'dev', 'eth0']);
  await run(['ip', 'address', 'add', '198.18.8.22/24', 'dev', 'eth0']);
  hosts[1] = { ...host(2), address: '198.18.8.22' };
  await startFlannel(host(2));
  await allReachEachOther();
  assert.doesNotMatch(await run(['ip', 'route']), /10\.42\.9\./);
  assert.equal(
    (await client.get(nodes, 'node-2')).metadata.annotations?.['flannel.alpha.coreos.com/public-ip'],
    '198.18.8.22',
  );
});

test('host-gw takes the place of VXLAN and back', async () => {
  for (const each of hosts) await stopFlannel(each);
  for (const each of hosts) assert.equal((await startFlannel(each, 'host-gw')).mtu(), 1500);
  // Packets pass the old way until the new one is there.
  await untilRoute(/10\.42\.2\.0\/24 via 198\.18\.8\.22 dev eth0 proto 107/);
  await allReachEachOther();
  assert.doesNotMatch(await host(1).run(['ip', 'link']), /flannel/);
  for (const each of hosts) await stopFlannel(each);
  for (const each of hosts) await startFlannel(each);
  await untilRoute(/10\.42\.2\.0\/24 via 10\.42\.2\.0 dev flannel\.1 proto 107 onlink/);
  await allReachEachOther();
});

test('a node of another backend is named in the log', async () => {
  await stopFlannel(host(2));
  await startFlannel(host(2), 'host-gw');
  await until('the log names it', () =>
    lines.some((line) => line.includes('its --flannel-backend is host-gw, here it is vxlan')),
  );
});
