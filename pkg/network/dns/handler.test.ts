import assert from 'node:assert/strict';
import { test } from 'node:test';
import dnsPacket from 'dns-packet';
import type { Namespace, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { endpointSlices, namespaces, services } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { FakeClock, systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { MemoryClient } from '../../client/testing/memory-client.ts';
import { ClusterRecords } from './cluster-records.ts';
import { Forwarder } from './forwarder.ts';
import { DnsHandler } from './handler.ts';
import { parseNameServers, planUpstreams } from './resolv-conf.ts';
import type { Upstream } from './upstream-query.ts';

type Answerer = (upstream: Upstream, query: Buffer) => Buffer | Error;

const upstreams: Upstream[] = [
  { address: '192.0.2.1', port: 53 },
  { address: '192.0.2.2', port: 53 },
];

async function world(answerer: Answerer) {
  const client = new MemoryClient(systemClock);
  await client.create(namespaces, { metadata: { name: 'default' } } as Input<Namespace>);
  const headless = { metadata: { name: 'many', namespace: 'default' }, spec: { clusterIP: 'None' } };
  await client.create(services, headless as Input<Service>);
  const outside = { type: 'ExternalName', externalName: 'www.example.com' };
  await client.create(services, { metadata: { name: 'out', namespace: 'default' }, spec: outside } as Input<Service>);
  await client.create(endpointSlices, {
    metadata: { name: 'many', namespace: 'default', labels: { 'kubernetes.io/service-name': 'many' } },
    addressType: 'IPv4',
    endpoints: Array.from({ length: 100 }, (_, index) => ({
      addresses: [`10.42.0.${index}`],
      conditions: { ready: true },
    })),
  } as Input<EndpointSlice>);
  const objects = new ClusterRecords(client);
  objects.follow(
    () => {},
    () => {},
  );
  const clock = new FakeClock();
  const asked: string[] = [];
  const forwarder = new Forwarder({
    clock,
    log: silentLogger,
    async query(upstream, transport, message, accepts) {
      asked.push(`${upstream.address} ${transport}`);
      const reply = answerer(upstream, message);
      if (reply instanceof Error) throw reply;
      if (!accepts(reply)) throw new Error('does not answer');
      return reply;
    },
  });
  let synced = true;
  const handler = new DnsHandler({
    zone: { domain: 'cluster.local', address: '10.43.0.10', ownCIDRs: [], objects },
    isSynced: () => synced,
    clock,
    log: silentLogger,
    forwarder,
  });
  handler.setUpstreams(upstreams);
  const unsync = (): void => {
    synced = false;
  };
  return { handler, asked, clock, unsync };
}

function query(name: string, options: { type?: string; id?: number; udpSize?: number } = {}): Buffer {
  const { type = 'A', id = 7, udpSize } = options;
  const additionals =
    udpSize === undefined ? [] : [{ type: 'OPT', name: '.', udpPayloadSize: udpSize, flags: 0, options: [] }];
  return dnsPacket.encode({ type: 'query', id, flags: 0x100, questions: [{ type, name }], additionals });
}

function says(
  message: Buffer,
  options: { ttl?: number; rcode?: number; soa?: boolean; type?: string; data?: unknown },
): Buffer {
  const { id = 0, questions = [] } = dnsPacket.decode(message);
  const { ttl = 60, rcode = 0, soa = false, type = 'A', data = '203.0.113.1' } = options;
  const name = questions[0]?.name ?? '';
  const authority = { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 10 };
  return dnsPacket.encode({
    type: 'response',
    id,
    flags: 0x180 | rcode,
    questions,
    answers: soa || rcode !== 0 ? [] : [{ type, name, ttl, data }],
    authorities: soa ? [{ type: 'SOA', name: 'example.com', ttl, data: authority }] : [],
  });
}

async function decoded(handler: DnsHandler, message: Buffer, transport: 'udp' | 'tcp' = 'udp') {
  const reply = await handler.handle(message, transport);
  assert.ok(reply);
  return { ...dnsPacket.decode(reply), bytes: reply };
}

test('large answers: what fits by UDP, marked truncated; everything by TCP; more with EDNS', async () => {
  const { handler } = await world(() => new Error('not asked'));
  const name = 'many.default.svc.cluster.local';
  const plain = await decoded(handler, query(name));
  assert.ok(plain.bytes.length <= 512);
  assert.equal(plain.flag_tc, true);
  assert.ok((plain.answers?.length ?? 0) > 20);
  const edns = await decoded(handler, query(name, { udpSize: 4096 }));
  assert.ok(edns.bytes.length <= 1232 && edns.bytes.length > 1000);
  assert.equal(edns.additionals?.length, 1);
  const tcp = await decoded(handler, query(name), 'tcp');
  assert.equal(tcp.flag_tc, false);
  assert.equal(tcp.answers?.length, 100);
  const firsts = new Set<unknown>();
  for (let index = 0; index < 5; index++) firsts.add((await decoded(handler, query(name))).answers?.[0]?.data);
  assert.equal(firsts.size, 5, 'each reply begins with another address');
});

test('the question is repeated as it was spelled', async () => {
  const { handler } = await world((_, message) => says(message, {}));
  const own = await decoded(handler, query('Many.Default.SVC.cluster.LOCAL'));
  assert.equal(own.questions?.[0]?.name, 'Many.Default.SVC.cluster.LOCAL');
  assert.equal(own.rcode, 'NOERROR');
  await decoded(handler, query('www.example.com'));
  const cached = await decoded(handler, query('WWW.example.com', { id: 99 }));
  assert.equal(cached.questions?.[0]?.name, 'WWW.example.com');
  assert.equal(cached.id, 99);
});

test('forwarded answers are kept as long as they say, with their time running down', async () => {
  const { handler, asked, clock } = await world((_, message) => says(message, { ttl: 60 }));
  assert.equal((await decoded(handler, query('www.example.com'))).answers?.[0]?.ttl, 60);
  await clock.advance(50_000);
  assert.equal((await decoded(handler, query('www.example.com'))).answers?.[0]?.ttl, 10);
  assert.equal(asked.length, 1);
  await clock.advance(10_000);
  assert.equal((await decoded(handler, query('www.example.com'))).answers?.[0]?.ttl, 60);
  assert.equal(asked.length, 2);
});

test('negative answers are kept as their SOA record says; failures are not', async () => {
  const missing = await world((_, message) => says(message, { rcode: 3, soa: true }));
  for (let index = 0; index < 3; index++) {
    assert.equal((await decoded(missing.handler, query('no.example.com'))).rcode, 'NXDOMAIN');
  }
  assert.equal(missing.asked.length, 1);
  await missing.clock.advance(10_000);
  await decoded(missing.handler, query('no.example.com'));
  assert.equal(missing.asked.length, 2);
  const broken = await world((_, message) => says(message, { rcode: 2 }));
  for (let index = 0; index < 2; index++) {
    assert.equal((await decoded(broken.handler, query('x.example.com'))).rcode, 'SERVFAIL');
  }
  assert.equal(broken.asked.length, 4, 'each upstream, each time');
});

test('a silent upstream is passed over, and asked last from then on', async () => {
  const { handler, asked } = await world((upstream, message) =>
    upstream.address === '192.0.2.1' ? new Error('does not answer') : says(message, {}),
  );
  assert.equal((await decoded(handler, query('a.example.com'))).rcode, 'NOERROR');
  assert.equal((await decoded(handler, query('b.example.com'))).rcode, 'NOERROR');
  assert.deepEqual(asked, ['192.0.2.1 udp', '192.0.2.2 udp', '192.0.2.2 udp']);
});

test('without a network, and without upstreams, the answer is SERVFAIL at once', async () => {
  const unreachable = Object.assign(new Error('connect ENETUNREACH'), { code: 'ENETUNREACH' });
  const { handler, asked } = await world(() => unreachable);
  assert.equal((await decoded(handler, query('www.example.com'))).rcode, 'SERVFAIL');
  assert.equal(asked.length, 2, 'one round');
  handler.setUpstreams([]);
  assert.equal((await decoded(handler, query('www.example.com'))).rcode, 'SERVFAIL');
  assert.equal(asked.length, 2);
});

test('equal questions at one time are one query', async () => {
  const { handler, asked } = await world((_, message) => says(message, {}));
  await Promise.all(Array.from({ length: 20 }, (_, id) => decoded(handler, query('www.example.com', { id }))));
  assert.equal(asked.length, 1);
});

test('an ExternalName is completed by upstreams', async () => {
  const { handler } = await world((_, message) => says(message, {}));
  const reply = await decoded(handler, query('out.default.svc.cluster.local'));
  assert.deepEqual(
    reply.answers?.map(({ name, type, data }) => `${name} ${type} ${data}`),
    ['out.default.svc.cluster.local CNAME www.example.com', 'www.example.com A 203.0.113.1'],
  );
});

test('until all is known, a missing name is a failure, not a fact', async () => {
  const { handler, unsync } = await world(() => new Error('not asked'));
  unsync();
  assert.equal((await decoded(handler, query('web.default.svc.cluster.local'))).rcode, 'SERVFAIL');
});

test('strange messages', async () => {
  const { handler } = await world((_, message) => says(message, {}));
  const good = query('many.default.svc.cluster.local', { udpSize: 1232 });
  const changed = (change: (message: Buffer) => void): Buffer => {
    const copy = Buffer.from(good);
    change(copy);
    return copy;
  };
  const cases: [string, Buffer, string | undefined][] = [
    ['empty', Buffer.alloc(0), undefined],
    ['too short for a header', Buffer.alloc(11), undefined],
    ['a reply', changed((message) => message.writeUInt16BE(0x8100, 2)), undefined],
    ['another operation', changed((message) => message.writeUInt16BE(0x2800, 2)), 'NOTIMP'],
    ['no question', changed((message) => message.writeUInt16BE(0, 4)), 'FORMERR'],
    ['two questions', changed((message) => message.writeUInt16BE(2, 4)), 'FORMERR'],
    ['cut in the name', good.subarray(0, 20), 'FORMERR'],
    ['cut in the EDNS record', good.subarray(0, good.length - 3), 'FORMERR'],
    ['a pointer in the question', changed((message) => message.writeUInt16BE(0xc00c, 12)), 'FORMERR'],
    ['more records than there are', changed((message) => message.writeUInt16BE(500, 10)), 'FORMERR'],
    ['another class', changed((message) => message.writeUInt16BE(3, good.length - 13)), 'REFUSED'],
  ];
  for (const [name, message, rcode] of cases) {
    const reply = await handler.handle(message, 'udp');
    assert.equal(reply && dnsPacket.decode(reply).rcode, rcode, name);
  }
  const version = await handler.handle(
    changed((message) => {
      message[good.length - 5] = 1;
    }),
    'udp',
  );
  assert.ok(version);
  assert.equal(version[version.length - 6], 1, 'BADVERS is told in the EDNS record');
});

test('no message makes it fail', async () => {
  const { handler } = await world((_, message) => says(message, {}));
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % below;
  };
  const samples = [
    query('many.default.svc.cluster.local', { udpSize: 1232 }),
    query('www.example.com'),
    query('4.3.2.1.in-addr.arpa', { type: 'PTR' }),
  ];
  for (let index = 0; index < 5000; index++) {
    const message = Buffer.from(samples[index % samples.length] ?? Buffer.alloc(0));
    for (let change = random(6); change >= 0; change--) message[random(message.length)] = random(256);
    const reply = await handler.handle(
      message.subarray(0, random(3) === 0 ? random(message.length) : message.length),
      'udp',
    );
    if (reply !== undefined) assert.ok(reply.length >= 12 && reply.length <= 1232);
  }
});

test('an upstream that answers nonsense is not believed', async () => {
  let seed = 7;
  const { handler } = await world((_, message) => {
    const reply = says(message, { type: 'CNAME', data: 'other.example.com' });
    for (let change = 0; change < 4; change++) {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      reply[seed % reply.length] = (seed >> 8) & 255;
    }
    return reply;
  });
  for (let index = 0; index < 2000; index++) {
    for (const name of [`n${index}.example.com`, 'out.default.svc.cluster.local']) {
      const reply = await handler.handle(query(name), 'udp');
      assert.ok(reply && reply.length >= 12);
    }
  }
});

test('the host’s name servers', () => {
  assert.deepEqual(
    parseNameServers(
      '# x\nnameserver 192.0.2.1\nnameserver  192.0.2.1\noptions a\nnameserver nonsense\n nameserver fe80::1%eth0',
    ),
    ['192.0.2.1', 'fe80::1%eth0'],
  );
  const own = new Set(['10.43.0.10']);
  const plan = (host: string, systemd?: string): string[] =>
    planUpstreams(host, systemd, own).map(({ address }) => address);
  assert.deepEqual(plan('nameserver 127.0.0.53', 'nameserver 192.0.2.1'), ['192.0.2.1']);
  assert.deepEqual(plan('nameserver 192.0.2.9\nnameserver 127.0.0.1', 'nameserver 192.0.2.1'), ['192.0.2.9']);
  assert.deepEqual(plan('nameserver 127.0.0.1', undefined), ['127.0.0.1']);
  assert.deepEqual(plan('nameserver 10.43.0.10', undefined), []);
});
