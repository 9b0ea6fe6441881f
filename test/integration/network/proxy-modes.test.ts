import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from '../../../pkg/api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../pkg/api/generated/discovery-v1.ts';
import { endpointSlices, services } from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { FakeClock, systemClock } from '../../../pkg/base/clock.ts';
import { createLogger } from '../../../pkg/base/log.ts';
import { MemoryClient } from '../../../pkg/client/testing/memory-client.ts';
import { ExecError } from '../../../pkg/host/exec.ts';
import { removeIpvs } from '../../../pkg/network/proxy/ipvs-host.ts';
import { createProxy, createProxyRemoval, type ProxyHost } from '../../../pkg/network/proxy/proxy.ts';
import type { ProxyMode } from '../../../pkg/network/proxy/service-actor.ts';
import { until } from '../../e2e/lib/until.ts';
import { CLUSTER_CIDR, NodeInNamespaces, SERVICE_CIDR } from './cluster.ts';
import { IpvsStandIn } from './ipvs-stand-in.ts';

/**
 * One process of the Service proxy after another on the same node, in different modes. Virtual servers are those of a
 * stand-in: few kernels have both IPVS and nftables. With both it is done in the guest of `npm run test:guest`.
 */
const tag = `km${(process.pid % 46656).toString(36)}`;
const node = new NodeInNamespaces(tag);
const host = new IpvsStandIn(node);
const client = new MemoryClient(systemClock);
const lines: string[] = [];
const log = createLogger({ level: 'warn', write: (line) => lines.push(line), now: () => new Date() });
const CLUSTER_IP = '10.243.0.5';
/** Machines that do much else are slow. */
const PATIENCE = { timeoutMs: 120_000 };
const running: ReturnType<typeof createProxy>[] = [];
let pods: string[] = [];
let untouched: string[];

function optionsOf(mode: ProxyMode, on: ProxyHost): Parameters<typeof createProxy>[0] {
  const cidrs = { clusterCIDRs: [CLUSTER_CIDR], serviceCIDRs: [SERVICE_CIDR], servedHere: [] };
  return { client, nodeName: 'n1', mode, ...cidrs, clock: systemClock, log, host: on };
}

function sliceOf(addresses: readonly string[]): Input<EndpointSlice> {
  return {
    metadata: { name: 'web', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'tcp', port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address], nodeName: 'n1', conditions: { ready: true } })),
  };
}

/** A proxy that has its rules in force. */
async function started(mode: ProxyMode, on: ProxyHost = host): Promise<(typeof running)[number]> {
  const proxy = createProxy(optionsOf(mode, on));
  running.push(proxy);
  await proxy.start(new AbortController().signal);
  await until(
    `${mode} has taken over`,
    async () => {
      const { ipvs, nftables } = await traces();
      return mode === 'ipvs' ? ipvs !== '' && nftables === '' : ipvs === '' && nftables !== '';
    },
    PATIENCE,
  );
  await proxy.inForce();
  return proxy;
}

/** Everything in the kernel that has to do with packets of the node, one thing a line. */
async function kernelState(): Promise<string[]> {
  const commands = [
    ['nft', '-s', 'list', 'ruleset'],
    ['ipset', 'save'],
    ['ip', '-o', 'link'],
    ['ip', 'rule'],
    ['ip', '-6', 'rule'],
    ['ip', '-4', 'route', 'show', 'table', 'all'],
  ] as const;
  const listings = await Promise.all(commands.map((argv) => node.run(argv)));
  const found = listings.join('\n').split('\n');
  const servers = [...host.servers].map(([server, reals]) => `${server} -> ${[...reals].join(' ')}`);
  // Devices come up, and the kernel counts, while one looks.
  const steady = found.map((line) => line.replace(/ state \w+| counter packets \d+ bytes \d+/g, '').trim());
  return [...steady, ...servers].filter((line) => line !== '').sort();
}

/** What of the kernel's state is one mode's. */
async function traces(): Promise<Record<ProxyMode, string>> {
  const state = await kernelState();
  const ipvs = /KEDGE-IPVS|kube-ipvs0|\b27500\b|0x2000|0x4000\/0x4000|^-[tu] (?!192\.0\.2\.)/;
  const table = await node.run(['nft', 'list', 'table', 'ip', 'kedge-proxy']).catch((error: unknown) => {
    if (error instanceof ExecError) return '';
    throw error;
  });
  return { ipvs: state.filter((line) => ipvs.test(line)).join('\n'), nftables: table };
}

async function servedBy(from: string, address: string, port: number): Promise<string[]> {
  const answers = await node.ask(from, address, port, 30);
  return [...new Set(answers.map((text) => text.split(' ')[0] ?? ''))].sort();
}

before(async () => {
  await node.start();
  pods = [await node.addPod('p1', 8080), await node.addPod('p2', 8080)];
  const spec = {
    type: 'NodePort',
    clusterIP: CLUSTER_IP,
    externalIPs: ['203.0.113.7'],
    externalTrafficPolicy: 'Local',
    sessionAffinity: 'None',
    ports: [{ name: 'tcp', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30080 }],
  };
  await client.create(services, { metadata: { name: 'web', namespace: 'default' }, spec } as Input<Service>);
  await client.create(endpointSlices, sliceOf(pods));
  // Other people's, with much the same: it stays.
  await node.run(['ipset', 'create', 'OTHERS', 'hash:ip,port']);
  await node.run(['ipset', 'add', 'OTHERS', `${CLUSTER_IP},tcp:80`]);
  for (const chain of ['PREROUTING', 'OUTPUT', 'POSTROUTING']) {
    await node.run(['iptables', '-t', 'nat', '-A', chain, '-m', 'set', '--match-set', 'OTHERS', 'dst,dst']);
  }
  await node.run(['nft', 'add', 'table', 'ip', 'others']);
  host.servers.set('-t 192.0.2.9:80', new Set(['192.0.2.10:80']));
  untouched = await kernelState();
});

after(async () => {
  for (const proxy of running) await proxy.stop();
  await node.stop();
  assert.deepEqual(lines, []);
});

test('a mode takes the place of the other one and leaves nothing of it; Services are served on', async () => {
  for (const mode of ['nftables', 'ipvs', 'nftables', 'ipvs'] as const) {
    const proxy = await started(mode);
    if (mode === 'nftables') {
      assert.deepEqual(await servedBy('p1', CLUSTER_IP, 80), ['p1', 'p2']);
      assert.deepEqual(await servedBy('o', '203.0.113.7', 80), ['p1', 'p2']);
    } else {
      assert.deepEqual(
        [...(host.servers.get(`-t ${CLUSTER_IP}:80`) ?? [])],
        pods.map((address) => `${address}:8080`),
      );
    }
    // As when it is restarted: what it did stays.
    await proxy.stop();
  }
});

/** Programs that only look. */
const LOOKS = [
  /^nft --check -f - < create table ip kedge-proxy\n$/,
  /^cat \/proc\/net\/ip_vs$/,
  /^(ipset save|iptables-save)$/,
  /^ip -json (-4 )?(link|route|rule) show\b/,
];

for (const mode of ['ipvs', 'nftables'] as const) {
  test(`clean-up in mode ${mode} leaves the kernel as it was`, async () => {
    const proxy = await started(mode);
    assert.notDeepEqual(await kernelState(), untouched);
    await proxy.stop();
    await proxy.cleanup();
    assert.deepEqual(await kernelState(), untouched);
  });

  test(`at rest, mode ${mode} looks once a minute and changes nothing; a changed endpoint is one program`, async () => {
    const clock = new FakeClock();
    const ran: string[] = [];
    const counted: ProxyHost = {
      sysctl: host.sysctl,
      localAddresses: () => host.localAddresses(),
      run: (argv, options) => {
        ran.push(argv.join(' ') + (options?.input === undefined ? '' : ` < ${String(options.input)}`));
        return host.run(argv, options);
      },
    };
    const proxy = createProxy({ ...optionsOf(mode, counted), clock });
    running.push(proxy);
    /** Time passes, and what is due by then is done. */
    const pass = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= 10_000) {
        await clock.advance(Math.min(left, 10_000));
        // Programs take real time.
        await delay(100);
        const done = proxy.inForce().then(() => true);
        while (!(await Promise.race([done, delay(20, false)]))) await clock.advance(50);
      }
    };
    await proxy.start(new AbortController().signal);
    await until(
      `${mode} is in force`,
      async () => {
        await pass(100);
        return ran.some((command) => /^(nft -f|ipvsadm -R)/.test(command));
      },
      PATIENCE,
    );
    await pass(1000);
    ran.length = 0;
    await pass(180_000);
    const changes = ran.filter((command) => !LOOKS.some((look) => look.test(command)));
    assert.deepEqual(changes, []);
    assert.ok(ran.length <= 3 * 7, ran.join('\n'));
    ran.length = 0;
    await client.update(endpointSlices, sliceOf(pods.slice(0, 1)));
    await until(
      'the change is in force',
      async () => {
        await pass(100);
        return ran.length > 0;
      },
      PATIENCE,
    );
    assert.equal(ran.length, mode === 'ipvs' ? 3 : 1, ran.join('\n'));
    await client.update(endpointSlices, sliceOf(pods));
    await pass(1000);
    await proxy.stop();
  });
}

test('a node that is to have no proxy any more has nothing of it, in whichever mode that was', async () => {
  for (const mode of ['ipvs', 'nftables'] as const) {
    await (await started(mode)).stop();
    assert.notDeepEqual(await kernelState(), untouched);
    await createProxyRemoval({ run: host.run, log }).start(new AbortController().signal);
    assert.deepEqual(await kernelState(), untouched);
  }
});

test("upstream's kube-proxy keeps its device and its virtual servers", async () => {
  await node.run(['ip', 'link', 'add', 'kube-ipvs0', 'up', 'type', 'bridge']);
  await node.run(['ip', 'address', 'add', '10.243.0.77/32', 'dev', 'kube-ipvs0']);
  host.servers.set('-t 10.243.0.77:80', new Set(['10.242.0.9:80']));
  const theirs = await kernelState();
  assert.equal(await removeIpvs(host.run), false);
  assert.deepEqual(await kernelState(), theirs);
  host.servers.delete('-t 10.243.0.77:80');
  await node.run(['ip', 'link', 'delete', 'kube-ipvs0']);
});

test('a kernel without IPVS takes over from one that had it', async () => {
  await (await started('ipvs')).stop();
  host.servers.clear();
  // The kernel tells nothing of virtual servers, and there is no ipvsadm.
  const gone = (argv: readonly string[]): boolean => argv[0] === 'ipvsadm' || argv.at(-1) === '/proc/net/ip_vs';
  const without: ProxyHost = {
    sysctl: node.sysctl,
    localAddresses: () => node.localAddresses(),
    run: (argv, options) =>
      gone(argv) ? Promise.reject(new ExecError(argv, 1, 'exit code 1', 'no such file')) : node.run(argv, options),
  };
  const proxy = await started('nftables', without);
  assert.deepEqual(await servedBy('', CLUSTER_IP, 80), ['p1', 'p2']);
  await proxy.stop();
  await proxy.cleanup();
  assert.deepEqual(
    await kernelState(),
    untouched.filter((line) => !line.startsWith('-t 192.0.2.9')),
  );
});
