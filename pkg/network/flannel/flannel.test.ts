import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '../../api/generated/core-v1.ts';
import { findOverlap } from '../overlap.ts';
import { announce, announcementOf } from './annotations.ts';
import type { Link } from './links.ts';
import { type KernelState, planChanges } from './plan-changes.ts';
import { planRoutes, type Self } from './plan-routes.ts';
import { chooseUnderlay, refuseInterface } from './underlay.ts';
import { planVxlanDevice } from './vxlan-device.ts';

const PREFIX = 'flannel.alpha.coreos.com';

function node(name: string, podCIDR: string | undefined, publicIP: string, options: object = {}): Node {
  const { mac = `02:00:00:00:00:0${name.slice(-1)}`, backend = 'vxlan' } = options as {
    mac?: string;
    backend?: string;
  };
  return {
    metadata: {
      name,
      annotations: {
        [`${PREFIX}/backend-type`]: backend,
        [`${PREFIX}/backend-data`]: backend === 'vxlan' ? `{"VNI":1,"VtepMAC":"${mac}"}` : 'null',
        [`${PREFIX}/public-ip`]: publicIP,
        [`${PREFIX}/kube-subnet-manager`]: 'true',
      },
    },
    spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
    status: {},
  } as unknown as Node;
}

const self: Self = { name: 'n1', backend: 'vxlan', device: 'flannel.1', address: '192.0.2.1' };
const n1 = node('n1', '10.42.0.0/24', '192.0.2.1');
const n2 = node('n2', '10.42.1.0/24', '192.0.2.2');

test('routes lead to every other node that has announced itself', () => {
  const silent = { metadata: { name: 'n4' }, spec: { podCIDR: '10.42.4.0/24' }, status: {} } as unknown as Node;
  const plan = planRoutes([node('n3', undefined, '192.0.2.3'), n2, silent, n1], self);
  assert.deepEqual(plan, {
    routes: [{ destination: '10.42.1.0/24', gateway: '10.42.1.0', device: 'flannel.1', onlink: true }],
    neighbours: [{ address: '10.42.1.0', mac: '02:00:00:00:00:02' }],
    forwarding: [{ mac: '02:00:00:00:00:02', remote: '192.0.2.2' }],
    skipped: [],
  });
  const gateway = { ...self, backend: 'host-gw', device: 'eth0' } as const;
  const direct = planRoutes([n1, node('n2', '10.42.1.0/24', '192.0.2.2', { backend: 'host-gw' })], gateway);
  assert.deepEqual(direct.routes, [
    { destination: '10.42.1.0/24', gateway: '192.0.2.2', device: 'eth0', onlink: false },
  ]);
  assert.deepEqual([direct.neighbours, direct.forwarding], [[], []]);
});

test('nodes that would break the way to others are skipped, and why', () => {
  const others = [
    node('n2', '10.42.0.128/25', '192.0.2.2'),
    node('n3', '10.42.3.0/24', '192.0.2.1'),
    node('n4', '10.42.4.0/24', '192.0.2.4', { backend: 'host-gw' }),
    node('n5', '10.42.5.0/24', '192.0.2.5'),
    node('n6', '10.42.6.0/24', '192.0.2.6', { mac: '02:00:00:00:00:05' }),
  ];
  const plan = planRoutes([...others, n1], self);
  assert.deepEqual(
    plan.routes.map(({ destination }) => destination),
    ['10.42.5.0/24'],
  );
  assert.deepEqual(
    plan.skipped.map(({ node: name, reason }) => `${name}: ${reason}`),
    [
      'n2: its Pod CIDR 10.42.0.128/25 overlaps that of node n1',
      'n3: it claims 192.0.2.1, the address of this node',
      'n4: its --flannel-backend is host-gw, here it is vxlan',
      'n6: it has the hardware address of node n5, 02:00:00:00:00:05',
    ],
  );
});

test('announcements that make no sense are none', () => {
  assert.equal(announcementOf(node('n2', '10.42.1.0/24', 'nonsense')), undefined);
  assert.equal(announcementOf(node('n2', '10.42.1.0/24', '192.0.2.2', { mac: 'x' })), undefined);
  assert.equal(
    announcementOf(node('n2', '10.42.1.0/24', '192.0.2.2', { mac: '02:AA:00:00:00:02' }))?.vtepMAC,
    '02:aa:00:00:00:02',
  );
});

test('a node announces only what is new; the operator may name another address', () => {
  assert.deepEqual(announce(n1, 'vxlan', '192.0.2.1', '02:00:00:00:00:01'), {});
  assert.deepEqual(announce(n1, 'vxlan', '192.0.2.9', '02:00:00:00:00:01'), { [`${PREFIX}/public-ip`]: '192.0.2.9' });
  const annotations = { ...n1.metadata.annotations, [`${PREFIX}/public-ip-overwrite`]: '203.0.113.7' };
  const behindNat = { ...n1, metadata: { ...n1.metadata, annotations } };
  assert.deepEqual(announce(behindNat, 'vxlan', '192.0.2.1', '02:00:00:00:00:01'), {
    [`${PREFIX}/public-ip`]: '203.0.113.7',
  });
});

test('only what differs is changed, and nothing of others', () => {
  const plan = planRoutes([n1, n2], self);
  const settled: KernelState = {
    routes: [
      { dst: 'default', gateway: '192.0.2.254', dev: 'eth0', flags: [] },
      { dst: '10.42.1.0/24', gateway: '10.42.1.0', dev: 'flannel.1', protocol: '107', flags: ['onlink'] },
      { dst: '10.99.0.0/16', gateway: '192.0.2.77', dev: 'eth0', protocol: 'static', flags: [] },
    ],
    neighbours: [{ dst: '10.42.1.0', dev: 'flannel.1', lladdr: '02:00:00:00:00:02' }],
    forwarding: [{ mac: '02:00:00:00:00:02', dst: '192.0.2.2' }],
  };
  assert.deepEqual(planChanges(settled, plan, 'flannel.1'), { bridge: [], ip: [] });
  const moved = planRoutes([n1, node('n2', '10.42.1.0/24', '192.0.2.22', { mac: '02:00:00:00:00:03' })], self);
  assert.deepEqual(planChanges(settled, moved, 'flannel.1'), {
    bridge: [
      'fdb del 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2 self',
      'fdb replace 02:00:00:00:00:03 dev flannel.1 dst 192.0.2.22 self permanent',
    ],
    ip: ['neigh replace 10.42.1.0 lladdr 02:00:00:00:00:03 dev flannel.1 nud permanent'],
  });
  assert.deepEqual(planChanges(settled, planRoutes([n1], self), 'flannel.1'), {
    bridge: ['fdb del 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2 self'],
    ip: ['route del 10.42.1.0/24 via 10.42.1.0 dev flannel.1', 'neigh del 10.42.1.0 dev flannel.1'],
  });
});

const link = (ifname: string, address: string, extra: object = {}): Link => ({
  ifname,
  mtu: 1500,
  flags: ['UP'],
  addr_info: [{ family: 'inet', local: address, prefixlen: 24, scope: ifname === 'lo' ? 'host' : 'global' }],
  ...extra,
});

test('the way to other nodes: the named device, that of the node address, that of the default route', () => {
  const links = [link('lo', '127.0.0.1'), link('eth0', '192.0.2.1'), link('wg0', '198.51.100.1', { mtu: 1420 })];
  const routes = 'Iface Destination\nwg0 00000000 0 0003 0 0 0 00000000';
  const choose = (nodeIP: string, iface?: string) => chooseUnderlay({ links, nodeIPs: [nodeIP], iface, routes });
  assert.deepEqual(choose('192.0.2.1'), { device: 'eth0', address: '192.0.2.1', mtu: 1500 });
  assert.deepEqual(choose('203.0.113.5'), { device: 'wg0', address: '198.51.100.1', mtu: 1420 });
  assert.deepEqual(choose('192.0.2.1', 'wg0')?.device, 'wg0');
  assert.equal(choose('192.0.2.1', 'eth7'), undefined);
  assert.equal(
    chooseUnderlay({ links: links.slice(0, 1), nodeIPs: ['127.0.0.1'], iface: undefined, routes }),
    undefined,
  );
});

test('a device that cannot lead to other nodes is refused', () => {
  const links = [link('eth0', '192.0.2.1'), link('eth1', '', { addr_info: [] })];
  refuseInterface('eth0', links);
  assert.throws(() => refuseInterface('eth1', links), /eth1 has no IPv4 address: give it one/);
  assert.throws(() => refuseInterface('eth2', links), /no device eth2: give one of eth0, eth1/);
});

test('the VXLAN device is mended in place where that can be, else replaced', () => {
  const underlay = { device: 'eth0', address: '192.0.2.1', mtu: 1500 };
  const mac = '02:00:00:00:00:01';
  const wanted = { name: 'flannel.1', underlay, announcedMAC: mac, tunnelAddress: '10.42.0.0' };
  const data = { id: 1, local: '192.0.2.1', link: 'eth0', port: 8472, learning: false };
  const kind = (info_data: object) => ({ linkinfo: { info_kind: 'vxlan', info_data } });
  const tunnel = [{ family: 'inet', local: '10.42.0.0', prefixlen: 32, scope: 'global' }];
  const good = link('flannel.1', '', { mtu: 1450, address: mac, addr_info: tunnel, ...kind(data) });
  const commands = (...links: Link[]) => planVxlanDevice(wanted, links).commands;
  assert.deepEqual(commands(good), []);
  assert.equal(commands().length, 4);
  assert.match(
    commands()[0] ?? '',
    /^link add name flannel\.1 address 02:00:00:00:00:01 mtu 1450 type vxlan id 1 local 192\.0\.2\.1/,
  );
  assert.deepEqual(commands({ ...good, mtu: 1400, flags: [] }), [
    'link set dev flannel.1 mtu 1450',
    'link set dev flannel.1 up',
  ]);
  assert.equal(commands({ ...good, ...kind({ ...data, local: '192.0.2.2' }) })[0], 'link del dev flannel.1');
  const former = [{ family: 'inet', local: '10.42.9.0', prefixlen: 32, scope: 'global' }];
  assert.deepEqual(commands({ ...good, addr_info: former }), [
    'address add 10.42.0.0/32 dev flannel.1',
    'address del 10.42.9.0/32 dev flannel.1',
  ]);
  assert.equal(planVxlanDevice({ ...wanted, announcedMAC: undefined }, [good]).mac, mac);
});

test('cluster addresses must not hide a network of the machine', () => {
  const networks = { clusterCIDRs: ['10.42.0.0/16'], serviceCIDRs: ['10.43.0.0/16'] };
  assert.equal(findOverlap(networks, [link('eth0', '192.0.2.1'), link('cni0', '10.42.0.1')]), undefined);
  assert.equal(
    findOverlap(networks, [link('eth1', '10.43.7.1')]),
    "--service-cidr 10.43.0.0/16 overlaps 10.43.7.0/24, the network of this machine's device eth1: start the first server with another --service-cidr",
  );
});
