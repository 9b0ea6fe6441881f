import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../api/generated/core-v1.ts';
import { FakeClock } from '../base/clock.ts';
import { ExecError } from '../host/exec.ts';
import { gatewayOf } from './bridge.ts';
import { planCniConfig } from './cni-config.ts';
import { acceptForwarding, removeForwarding } from './forward-accept.ts';
import { planKernelSettings } from './kernel-settings.ts';
import { hostPortsOf, planPodTable } from './pod-table.ts';
import { Resync } from './resync.ts';
import { labelledAddresses } from './teardown.ts';

test('CNI configuration of a node', () => {
  const config = planCniConfig({ podCIDRs: ['10.42.3.0/24'], leaseDir: '/run/kedge/cni', mtu: 1450 });
  assert.deepEqual(config, {
    cniVersion: '1.0.0',
    name: 'kedge',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        hairpinMode: true,
        forceAddress: true,
        ipMasq: false,
        mtu: 1450,
        ipam: {
          type: 'host-local',
          dataDir: '/run/kedge/cni',
          ranges: [[{ subnet: '10.42.3.0/24' }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  });
  assert.equal(gatewayOf('10.42.3.0/24'), '10.42.3.1/24');
  assert.throws(() => gatewayOf('10.42.3.0'), /malformed/);
  assert.throws(() => planCniConfig({ podCIDRs: [], leaseDir: '/x', mtu: 1450 }), /without a pod CIDR/);
  assert.throws(() => planCniConfig({ podCIDRs: ['10.42.3.0'], leaseDir: '/x', mtu: 1450 }), /malformed/);
});

test('kernel settings: only what is missing, limits are only raised', () => {
  const names = (values: Record<string, string>) =>
    planKernelSettings((name) => values[name], { cores: 2, ipv6: false }).map(({ name, value }) => `${name}=${value}`);
  assert.deepEqual(names({}), ['net/ipv4/ip_forward=1']);
  assert.deepEqual(names({ 'net/ipv4/ip_forward': '1', 'net/bridge/bridge-nf-call-iptables': '0' }), [
    'net/bridge/bridge-nf-call-iptables=1',
  ]);
  assert.deepEqual(names({ 'net/ipv4/ip_forward': '1', 'net/netfilter/nf_conntrack_max': '65536' }), [
    'net/netfilter/nf_conntrack_max=131072',
  ]);
  assert.deepEqual(names({ 'net/ipv4/ip_forward': '1', 'net/netfilter/nf_conntrack_max': '500000' }), []);
});

function podWithPort(name: string, port: object, status: object, spec: object = {}): Pod {
  return {
    metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z', uid: name },
    spec: { containers: [{ name: 'c', ports: [port] }], ...spec },
    status: { phase: 'Running', podIP: '10.42.0.5', ...status },
  } as unknown as Pod;
}

test('host ports of running Pods', () => {
  const port = { hostPort: 8080, containerPort: 80, protocol: 'TCP' };
  const found = hostPortsOf(
    [
      podWithPort('b', port, { podIP: '10.42.0.6' }),
      podWithPort('a', port, {}),
      podWithPort('dns', { hostPort: 53, hostIP: '192.0.2.1', containerPort: 5353, protocol: 'UDP' }, {}),
      podWithPort('ended', { hostPort: 1, containerPort: 1 }, { phase: 'Failed' }),
      podWithPort('host', { hostPort: 2, containerPort: 2 }, {}, { hostNetwork: true }),
      podWithPort('starting', { hostPort: 3, containerPort: 3 }, { podIP: undefined }),
      podWithPort('plain', { containerPort: 4 }, {}),
    ],
    4,
  );
  assert.deepEqual(found, [
    { protocol: 'tcp', hostIP: undefined, hostPort: 8080, podIP: '10.42.0.5', containerPort: 80 },
    { protocol: 'udp', hostIP: '192.0.2.1', hostPort: 53, podIP: '10.42.0.5', containerPort: 5353 },
  ]);
  const input = { family: 4, podCIDR: '10.42.0.0/24', clusterCIDR: '10.42.0.0/16', bridge: 'cni0' } as const;
  const table = planPodTable({ ...input, hostPorts: found, bridgeNetfilter: true });
  assert.deepEqual([...(table.sets.get('host-ports')?.elements ?? [])], [['tcp . 8080', '10.42.0.5 . 80']]);
  assert.deepEqual(
    [...(table.sets.get('host-ip-ports')?.elements ?? [])],
    [['192.0.2.1 . udp . 53', '10.42.0.5 . 5353']],
  );
  const masquerade = (bridgeNetfilter: boolean) =>
    planPodTable({ ...input, hostPorts: [], bridgeNetfilter })
      .chains.get('postrouting')
      ?.rules.join('\n') ?? '';
  assert.match(
    masquerade(true),
    /saddr 10\.42\.0\.0\/24 ip daddr != \{ 10\.42\.0\.0\/16, 224\.0\.0\.0\/4 \} masquerade/,
  );
  assert.doesNotMatch(masquerade(true), /ct original/);
  assert.match(masquerade(false), /ct original ip daddr != \S+ masquerade/);
});

test('forwarding is let through where the policy drops, once, and taken back', async () => {
  const rules: string[] = [];
  let policy = 'ACCEPT';
  const run = async (argv: readonly string[]): Promise<string> => {
    if (argv[0] === 'ip6tables') throw new ExecError(argv, 3, 'exit code 3', '');
    const [verb, ...rest] = argv.slice(3);
    const text = rest.map((word) => (word.includes(' ') ? `"${word}"` : word)).join(' ');
    if (verb === '-I') rules.unshift(text);
    if (verb === '-D') {
      assert.ok(rules.includes(text), `no rule ${text}`);
      rules.splice(rules.indexOf(text), 1);
    }
    return [`-P FORWARD ${policy}`, '-A FORWARD -j DOCKER', ...rules.map((rule) => `-A ${rule}`)].join('\n');
  };
  assert.equal(await acceptForwarding('10.42.0.0/24', run), false);
  policy = 'DROP';
  assert.equal(await acceptForwarding('10.42.0.0/24', run), true);
  assert.equal(rules.length, 2);
  assert.equal(await acceptForwarding('10.42.0.0/24', run), false);
  assert.equal(await acceptForwarding('10.42.1.0/24', run), true);
  assert.equal(rules.length, 2);
  await removeForwarding(run);
  assert.deepEqual(rules, []);
});

test('the DNS address is found by its label', () => {
  const json = JSON.stringify([
    {
      addr_info: [
        { local: '127.0.0.1', prefixlen: 8, label: 'lo' },
        { local: '10.43.0.10', prefixlen: 32, label: 'lo:kedge-dns' },
      ],
    },
  ]);
  assert.deepEqual(labelledAddresses(json), ['10.43.0.10/32']);
});

test('resync: at once when idle, coalesced in a burst, later and later after failures', async () => {
  const clock = new FakeClock(0);
  const runs: number[] = [];
  let failing = false;
  const resync = new Resync({
    clock,
    minIntervalMs: 100,
    work: async () => {
      runs.push(clock.now());
      if (failing) throw new Error('no');
    },
    onError: () => {},
  });
  resync.trigger();
  resync.trigger();
  await clock.advance(10);
  for (let index = 0; index < 20; index++) resync.trigger();
  await clock.advance(1000);
  assert.deepEqual(runs, [0, 100]);
  failing = true;
  resync.trigger();
  await clock.advance(750);
  assert.deepEqual(runs, [0, 100, 1010, 1110, 1310, 1710]);
  failing = false;
  await clock.advance(10_000);
  assert.equal(runs.length, 7);
  await resync.stop();
  resync.trigger();
  await clock.advance(10_000);
  assert.equal(runs.length, 7);
});
