import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Namespace, Node, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { endpointSlices, namespaces, nodes, services } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { systemClock } from '../../base/clock.ts';
import { type CIDR, parseCIDR } from '../../base/ip.ts';
import { MemoryClient } from '../../client/testing/memory-client.ts';
import { ClusterRecords } from './cluster-records.ts';
import { ensureDnsService } from './dns-service.ts';
import { RCODES, type ResourceRecord, TYPES } from './message.ts';
import { type ClusterZone, resolveClusterName } from './resolve.ts';

type TypeName = keyof typeof TYPES;

const own = parseCIDR('10.42.0.0/16') as CIDR;

async function zone(): Promise<{ zone: ClusterZone; client: MemoryClient }> {
  const client = new MemoryClient(systemClock);
  for (const name of ['default', 'kube-system', 'empty']) {
    await client.create(namespaces, { metadata: { name } } as Input<Namespace>);
  }
  await client.create(nodes, {
    metadata: { name: 'edge-1' },
    status: {
      addresses: [
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'Hostname', address: 'edge-1' },
      ],
    },
  } as Input<Node>);
  const put = (name: string, spec: object): Promise<Service> =>
    client.create(services, { metadata: { name, namespace: 'default' }, spec } as Input<Service>);
  const http = { name: 'http', port: 80, protocol: 'TCP' };
  await put('web', {
    clusterIP: '10.43.0.5',
    clusterIPs: ['10.43.0.5', 'fd00::5'],
    ports: [http, { port: 53, protocol: 'UDP' }],
  });
  await put('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }] });
  await put('none', { clusterIP: 'None', ports: [http] });
  await put('outside', { type: 'ExternalName', externalName: 'WWW.example.com' });
  await put('alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local.' });
  await put('circle', { type: 'ExternalName', externalName: 'circle.default.svc.cluster.local' });
  await put('strange', { type: 'ExternalName', externalName: `${'a'.repeat(70)}.com` });
  await client.create(endpointSlices, {
    metadata: { name: 'db-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'db' } },
    addressType: 'IPv4',
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.42.0.7'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.42.0.8'], conditions: {} },
      { addresses: ['10.42.0.9'], hostname: 'db-2', conditions: { ready: false } },
    ],
  } as Input<EndpointSlice>);
  const objects = new ClusterRecords(client);
  objects.follow(
    () => {},
    () => {},
  );
  return { zone: { domain: 'cluster.local', address: '10.43.0.10', ownCIDRs: [own], objects }, client };
}

function text({ type, data }: ResourceRecord): string {
  if (type === 'SRV') {
    const { port, target, weight } = data as { port: number; target: string; weight: number };
    return `SRV ${weight} ${port} ${target}`;
  }
  return `${type} ${typeof data === 'string' ? data : JSON.stringify(data)}`;
}

function ask({ zone: cluster }: { zone: ClusterZone }, name: string, type: TypeName): string {
  const resolution = resolveClusterName(cluster, name, TYPES[type]);
  if (resolution === undefined) return 'forward';
  const { reply, continueWith } = resolution;
  if (reply.answers.length === 0) {
    const denial =
      reply.rcode === RCODES.NXDOMAIN ? 'NXDOMAIN' : reply.rcode === RCODES.NOERROR ? 'NODATA' : 'SERVFAIL';
    assert.equal(reply.authorities[0]?.type, denial === 'SERVFAIL' ? undefined : 'SOA', name);
    return denial;
  }
  const more = continueWith === undefined ? '' : ` > ${continueWith}`;
  return reply.answers.map(text).join(', ') + more;
}

test('the names of the Kubernetes DNS specification', async () => {
  const world = await zone();
  const domain = 'cluster.local';
  const svc = `default.svc.${domain}`;
  const cases: [string, TypeName, string][] = [
    [`web.${svc}`, 'A', 'A 10.43.0.5'],
    [`web.${svc}`, 'AAAA', 'AAAA fd00::5'],
    [`web.${svc}`, 'TXT', 'NODATA'],
    [`web.${svc}`, 'SRV', `SRV 50 80 web.${svc}, SRV 50 53 web.${svc}`],
    [`_http._tcp.web.${svc}`, 'SRV', `SRV 100 80 web.${svc}`],
    [`_http._udp.web.${svc}`, 'SRV', 'NXDOMAIN'],
    [`_tcp.web.${svc}`, 'SRV', 'NODATA'],
    [`x.y.web.${svc}`, 'A', 'NXDOMAIN'],
    [`db.${svc}`, 'A', 'A 10.42.0.7, A 10.42.0.8'],
    [`db.${svc}`, 'AAAA', 'NODATA'],
    [`db-0.db.${svc}`, 'A', 'A 10.42.0.7'],
    [`10-42-0-8.db.${svc}`, 'A', 'A 10.42.0.8'],
    [`db-2.db.${svc}`, 'A', 'NXDOMAIN'],
    [`_sql._tcp.db.${svc}`, 'SRV', `SRV 50 5432 db-0.db.${svc}, SRV 50 5432 10-42-0-8.db.${svc}`],
    [`none.${svc}`, 'A', 'NXDOMAIN'],
    [`missing.${svc}`, 'A', 'NXDOMAIN'],
    [`web.nowhere.svc.${domain}`, 'A', 'NXDOMAIN'],
    [`web.empty.svc.${domain}`, 'A', 'NXDOMAIN'],
    [`nowhere.svc.${domain}`, 'A', 'NXDOMAIN'],
    [`empty.svc.${domain}`, 'A', 'NODATA'],
    [`svc.${domain}`, 'A', 'NODATA'],
    [`outside.${svc}`, 'A', 'CNAME www.example.com > www.example.com'],
    [`outside.${svc}`, 'CNAME', 'CNAME www.example.com'],
    [`alias.${svc}`, 'A', `CNAME web.${svc}, A 10.43.0.5`],
    [`circle.${svc}`, 'A', Array(8).fill(`CNAME circle.${svc}`).join(', ')],
    [`strange.${svc}`, 'A', 'SERVFAIL'],
    [`1-2-3-4.default.pod.${domain}`, 'A', 'A 1.2.3.4'],
    [`1-2-3-4.default.pod.${domain}`, 'AAAA', 'NODATA'],
    [`fd00--1.default.pod.${domain}`, 'AAAA', 'AAAA fd00::1'],
    [`1-2-3-4.nowhere.pod.${domain}`, 'A', 'NXDOMAIN'],
    [`1-2-3-400.default.pod.${domain}`, 'A', 'NXDOMAIN'],
    [`dns-version.${domain}`, 'TXT', 'TXT 1.1.0'],
    [`ns.dns.${domain}`, 'A', 'A 10.43.0.10'],
    [domain, 'NS', `NS ns.dns.${domain}`],
    [domain, 'A', 'NODATA'],
    [`other.${domain}`, 'A', 'NXDOMAIN'],
    ['5.0.43.10.in-addr.arpa', 'PTR', `PTR web.${svc}`],
    [
      `${'5'
        .padEnd(32, '0')
        .replace(/(.{28})00/, '$1df')
        .split('')
        .join('.')}.ip6.arpa`,
      'PTR',
      'forward',
    ],
    ['7.0.42.10.in-addr.arpa', 'PTR', `PTR db-0.db.${svc}`],
    ['8.0.42.10.in-addr.arpa', 'PTR', `PTR 10-42-0-8.db.${svc}`],
    ['99.0.42.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
    ['1.2.0.192.in-addr.arpa', 'PTR', 'forward'],
    ['edge-1', 'A', 'A 192.0.2.1'],
    ['edge-1', 'AAAA', 'NODATA'],
    ['edge-2', 'A', 'forward'],
    ['www.example.com', 'A', 'forward'],
    ['notcluster.local', 'A', 'forward'],
    ['', 'NS', 'forward'],
  ];
  for (const [name, type, expected] of cases) assert.equal(ask(world, name, type), expected, `${type} ${name}`);
  const v6 = `5.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`;
  assert.equal(ask(world, v6, 'PTR'), `PTR web.${svc}`);
});

test('an SRV answer brings the addresses of its targets', async () => {
  const { zone: cluster } = await zone();
  const found = resolveClusterName(cluster, '_sql._tcp.db.default.svc.cluster.local', TYPES.SRV);
  assert.deepEqual(found?.reply.additionals.map(text), ['A 10.42.0.7', 'A 10.42.0.8']);
});

test('names follow the objects', async () => {
  const world = await zone();
  const slice = await world.client.get(endpointSlices, 'db-1', 'default');
  const [first] = slice.endpoints ?? [];
  assert.ok(first);
  await world.client.update(endpointSlices, { ...slice, endpoints: [{ ...first, addresses: ['10.42.0.20'] }] });
  assert.equal(ask(world, 'db-0.db.default.svc.cluster.local', 'A'), 'A 10.42.0.20');
  assert.equal(ask(world, '7.0.42.10.in-addr.arpa', 'PTR'), 'NXDOMAIN');
  assert.equal(ask(world, '20.0.42.10.in-addr.arpa', 'PTR'), 'PTR db-0.db.default.svc.cluster.local');
  await world.client.delete(endpointSlices, 'db-1', { namespace: 'default' });
  assert.equal(ask(world, 'db.default.svc.cluster.local', 'A'), 'NXDOMAIN');
  await world.client.delete(services, 'web', { namespace: 'default' });
  assert.equal(ask(world, 'web.default.svc.cluster.local', 'A'), 'NXDOMAIN');
  assert.equal(ask(world, '5.0.43.10.in-addr.arpa', 'PTR'), 'forward');
});

test('the kube-dns Service is made once', async () => {
  const world = await zone();
  await ensureDnsService(world.client, { clusterIP: '10.43.0.10' });
  await ensureDnsService(world.client, { clusterIP: '10.43.0.10' });
  assert.equal(ask(world, 'kube-dns.kube-system.svc.cluster.local', 'A'), 'A 10.43.0.10');
  assert.equal(ask(world, '10.0.43.10.in-addr.arpa', 'PTR'), 'PTR kube-dns.kube-system.svc.cluster.local');
  await ensureDnsService(world.client, { clusterIP: '10.43.0.99' });
  assert.equal(ask(world, 'kube-dns.kube-system.svc.cluster.local', 'A'), 'A 10.43.0.99');
  assert.equal(ask(world, '_dns._udp.kube-dns.kube-system.svc.cluster.local', 'SRV').split(' ')[2], '53');
});
