import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import dnsPacket from 'dns-packet';
import type { Namespace, Service } from '../../../pkg/api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../pkg/api/generated/discovery-v1.ts';
import { endpointSlices, namespaces, services } from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import { silentLogger } from '../../../pkg/base/log.ts';
import { MemoryClient } from '../../../pkg/client/testing/memory-client.ts';
import { exec } from '../../../pkg/host/exec.ts';
import { inNetworkNamespace } from '../../../pkg/host/nft.ts';
import { createDns } from '../../../pkg/network/dns/dns.ts';
import { DnsSockets } from '../../../pkg/network/dns/sockets.ts';
import { removeNetworkTraces } from '../../../pkg/network/teardown.ts';

const ADDRESS = `127.77.${process.pid % 200}.53`;
const PORT = 10_053;
const upstreamAddresses = [ADDRESS.replace('127.77', '127.78'), ADDRESS.replace('127.77', '127.79')] as const;
const dir = mkdtempSync(join(tmpdir(), 'kedge-dns-'));
const resolvConf = join(dir, 'resolv.conf');
const client = new MemoryClient(systemClock);
const stop = new AbortController();
const options = {
  client,
  address: ADDRESS,
  port: PORT,
  domain: 'cluster.local',
  ownCIDRs: ['10.42.0.0/16', '10.43.0.0/16'],
  clock: systemClock,
  log: silentLogger,
  manageAddress: false,
  resolvConf,
};
const dns = createDns(options);

/** An upstream that says its own address of every name; by UDP only that the answer is too long, for `long.*`. */
const upstreams = upstreamAddresses.map((address) => {
  const sockets = new DnsSockets(async (message, transport) => {
    const { id = 0, questions = [] } = dnsPacket.decode(message);
    const name = questions[0]?.name ?? '';
    const truncated = name.startsWith('long.') && transport === 'udp';
    const answers = truncated ? [] : [{ type: 'A', name, ttl: 60, data: address }];
    return dnsPacket.encode({ type: 'response', id, flags: 0x180 | (truncated ? 0x200 : 0), questions, answers });
  }, silentLogger);
  return { address, sockets };
});

function query(name: string, id = 1): Buffer {
  return dnsPacket.encode({ type: 'query', id, flags: 0x100, questions: [{ type: 'A', name }] });
}

function udp(message: Buffer): Promise<ReturnType<typeof dnsPacket.decode>> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const limit = setTimeout(() => {
      socket.close();
      reject(new Error('no answer'));
    }, 5000);
    socket.on('message', (reply) => {
      clearTimeout(limit);
      socket.close();
      resolve(dnsPacket.decode(reply));
    });
    socket.send(message, PORT, ADDRESS);
  });
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** Sends several questions by one connection, cut into small pieces; the answers in the order they come. */
function tcp(messages: readonly Buffer[]): Promise<ReturnType<typeof dnsPacket.decode>[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(PORT, ADDRESS);
    const answers: ReturnType<typeof dnsPacket.decode>[] = [];
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        answers.push(dnsPacket.decode(received.subarray(2, end)));
        received = received.subarray(end);
      }
      if (answers.length < messages.length) return;
      socket.destroy();
      resolve(answers);
    });
    const bytes = Buffer.concat(messages.map(framed));
    for (let offset = 0; offset < bytes.length; offset += 7) socket.write(bytes.subarray(offset, offset + 7));
  });
}

before(async () => {
  for (const { address, sockets } of upstreams) await sockets.listen(address, 53);
  writeFileSync(resolvConf, `nameserver ${upstreamAddresses[0]}\n`);
  await client.create(namespaces, { metadata: { name: 'default' } } as Input<Namespace>);
  const spec = { clusterIP: '10.43.0.5', ports: [{ name: 'http', port: 80 }] };
  await client.create(services, { metadata: { name: 'web', namespace: 'default' }, spec } as Input<Service>);
  const headless = { metadata: { name: 'many', namespace: 'default' }, spec: { clusterIP: 'None' } };
  await client.create(services, headless as Input<Service>);
  await client.create(endpointSlices, {
    metadata: { name: 'many', namespace: 'default', labels: { 'kubernetes.io/service-name': 'many' } },
    addressType: 'IPv4',
    endpoints: Array.from({ length: 200 }, (_, index) => ({ addresses: [`10.42.0.${index}`], conditions: {} })),
  } as Input<EndpointSlice>);
  await dns.start(stop.signal);
});

after(async () => {
  await dns.stop();
  for (const { sockets } of upstreams) await sockets.close();
  rmSync(dir, { recursive: true });
});

test('cluster names and the world, by UDP and TCP', async () => {
  assert.equal((await udp(query('web.default.svc.cluster.local'))).answers?.[0]?.data, '10.43.0.5');
  assert.equal((await udp(query('www.example.com'))).answers?.[0]?.data, upstreamAddresses[0]);
  const answers = await tcp([
    query('web.default.svc.cluster.local', 1),
    query('www.example.org', 2),
    query('x.cluster.local', 3),
  ]);
  const byId = new Map(answers.map((answer) => [answer.id, answer]));
  assert.equal(byId.get(1)?.answers?.[0]?.data, '10.43.0.5');
  assert.equal(byId.get(2)?.answers?.[0]?.data, upstreamAddresses[0]);
  assert.equal(byId.get(3)?.rcode, 'NXDOMAIN');
});

test('what is too long by UDP is had by TCP, of the cluster and of the world', async () => {
  for (const [name, count] of [
    ['many.default.svc.cluster.local', 200],
    ['long.example.com', 1],
  ] as const) {
    assert.equal((await udp(query(name))).flag_tc, true, name);
    assert.equal((await tcp([query(name)]))[0]?.answers?.length, count, name);
  }
});

test('a changed resolv.conf counts from then on', async () => {
  writeFileSync(`${resolvConf}.new`, `nameserver ${upstreamAddresses[1]}\n`);
  renameSync(`${resolvConf}.new`, resolvConf);
  const limit = Date.now() + 5000;
  while ((await udp(query('www.example.com'))).answers?.[0]?.data !== upstreamAddresses[1]) {
    assert.ok(Date.now() < limit, 'the new upstream is not asked');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test('rubbish does not stop it; many questions at once are all answered', async () => {
  const socket = createSocket('udp4');
  for (let index = 0; index < 100; index++) socket.send(Buffer.alloc(index, index), PORT, ADDRESS);
  const broken = connect(PORT, ADDRESS);
  broken.on('error', () => {});
  broken.write(Buffer.from([0xff, 0xff, 1, 2, 3]));
  const half = connect(PORT, ADDRESS);
  half.on('error', () => {});
  half.write(framed(Buffer.from('nonsense')));
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      udp(query(index % 2 === 0 ? 'web.default.svc.cluster.local' : `n${index}.example.com`, index)),
    ),
  );
  assert.ok(replies.every(({ rcode, id }, index) => rcode === 'NOERROR' && id === index));
  socket.close();
  broken.destroy();
  half.destroy();
});

test('a taken port is said with its remedy', async () => {
  await assert.rejects(createDns(options).start(stop.signal), /another name server has port 10053 .*--disable=coredns/);
});

test('the address on lo is held, kept when it is there, and removed by teardown', async () => {
  const namespace = `knd${process.pid}`;
  await exec(['ip', 'netns', 'add', namespace]);
  try {
    const run = inNetworkNamespace(namespace);
    const list = (): Promise<string> => run(['ip', '-brief', 'address', 'show', 'dev', 'lo']);
    for (const address of ['10.43.0.9', '10.43.0.10', '10.43.0.10']) {
      // The socket is opened in this process's namespace, where the address is not.
      await assert.rejects(
        createDns({ ...options, address, manageAddress: true, run }).start(stop.signal),
        /EADDRNOTAVAIL/,
      );
    }
    assert.match(await list(), /10\.43\.0\.10\/32/);
    assert.doesNotMatch(await list(), /10\.43\.0\.9/);
    await removeNetworkTraces(run, dir);
    assert.doesNotMatch(await list(), /10\.43/);
  } finally {
    await exec(['ip', 'netns', 'delete', namespace]);
  }
});
