import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CertificateSigningRequest } from '../api/generated/certificates-v1.ts';
import { certificateSigningRequests } from '../api/resources.ts';
import { parseSigningRequest } from '../apimachinery/x509/signing-request.ts';
import { FakeClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { pathsFor } from '../base/paths.ts';
import { MemoryClient } from '../client/testing/memory-client.ts';
import { createAuthority, type KeyPairPem, signCertificate } from '../pki/issue.ts';
import { SIGNERS } from '../registry/certificates/signers.ts';
import { NodeCertificates } from './node-certificates.ts';

const MINUTE_MS = 60_000;
const LIFETIME_MS = 60 * MINUTE_MS;

let folder: string;
let serverCA: KeyPairPem;
let clientCA: KeyPairPem;
const clock = new FakeClock();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-node-certificates-'));
  serverCA = await createAuthority('server', clock.now());
  clientCA = await createAuthority('client', clock.now());
});
after(() => rm(folder, { recursive: true }));

/** A cluster whose controllers sign whatever is asked for. */
function signingCluster(): MemoryClient {
  const client = new MemoryClient(clock);
  client.informer(certificateSigningRequests).subscribe(({ type, object }) => {
    if (type === 'added')
      void sign(object).then((signed) => client.update(certificateSigningRequests, signed, { subresource: 'status' }));
  });
  return client;
}

async function sign(object: CertificateSigningRequest): Promise<CertificateSigningRequest> {
  const request = parseSigningRequest(Buffer.from(object.spec.request, 'base64').toString());
  const isClient = object.spec.signerName === SIGNERS.kubeletClient;
  const pem = await signCertificate(
    { ...request, usages: [isClient ? 'client' : 'server'], notBefore: 0, notAfter: clock.now() + LIFETIME_MS },
    request.publicKey,
    isClient ? clientCA : serverCA,
  );
  return { ...object, status: { certificate: Buffer.from(pem).toString('base64') } };
}

function certificates(address = '192.0.2.7', cluster?: MemoryClient): NodeCertificates {
  return new NodeCertificates({
    paths: pathsFor(folder),
    nodeName: 'edge',
    addresses: [address],
    serverCA: serverCA.certificate,
    clientCA: clientCA.certificate,
    lifetimeMs: LIFETIME_MS,
    joinAgain: async () => {
      if (cluster === undefined) throw new Error('there is no token');
      return Object.assign(cluster, { close: () => {} });
    },
    clock,
    log: silentLogger,
  });
}

/** Lets time go on until `work` is done; hardly faster than the machine's, which may have other things to do. */
async function withTime<T>(work: Promise<T>): Promise<T> {
  let isDone = false;
  const finish = (): void => {
    isDone = true;
  };
  work.then(finish, finish);
  while (!isDone) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(10);
  }
  return work;
}

/** Lets time go on, a second after the other, until `isDone`, or for long. */
async function timeUntil(isDone: () => boolean): Promise<void> {
  for (let seconds = 0; seconds < 1200 && !isDone(); seconds++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await clock.advance(1000);
  }
}

const endOf = ({ certificate }: KeyPairPem): number => new X509Certificate(certificate).validToDate.getTime();

test('a node gets its certificates, finds them again, and renews them while it runs', async () => {
  const { signal } = new AbortController();
  const cluster = signingCluster();
  const first = certificates();
  await first.load();
  assert.deepEqual([first.client], [undefined], 'it has to join');
  await withTime(first.obtainClient(cluster, signal));
  first.use(cluster);
  await withTime(first.start(signal));
  assert.match(new X509Certificate(first.client?.certificate ?? '').subject, /O=system:nodes\nCN=system:node:edge/);
  const serving = new X509Certificate(first.serving.certificate);
  assert.deepEqual([serving.checkHost('edge'), serving.checkIP('192.0.2.7')], ['edge', '192.0.2.7']);
  await first.stop();

  const again = certificates();
  await again.load();
  assert.deepEqual(again.client, first.client);
  again.use(cluster);
  let changes = 0;
  again.onChange(() => changes++);
  await withTime(again.start(signal));
  assert.equal(changes, 0, 'nothing is asked for that is there');
  const end = endOf(again.serving);
  await clock.advance(39 * MINUTE_MS);
  assert.equal(changes, 0);
  await timeUntil(() => changes === 2);
  assert.equal(changes, 2, 'both are renewed');
  assert.ok(endOf(again.serving) > end && again.client !== undefined && endOf(again.client) > end);
  await again.stop();

  const moved = certificates('192.0.2.8');
  await moved.load();

  moved.use(cluster);
  await moved.start(signal);
  const hasMoved = (): boolean => new X509Certificate(moved.serving.certificate).checkIP('192.0.2.8') !== undefined;
  await timeUntil(hasMoved);
  assert.equal(new X509Certificate(moved.serving.certificate).checkIP('192.0.2.8'), '192.0.2.8');
  await moved.stop();

  const asleep = certificates('192.0.2.8', cluster);
  await asleep.load();
  const nobody = new MemoryClient(clock);
  nobody.create = () => Promise.reject(new Error('Unauthorized'));
  asleep.use(nobody);
  await asleep.start(signal);
  const ended = endOf(asleep.client ?? asleep.serving);
  await clock.advance(65 * MINUTE_MS);
  await timeUntil(() => endOf(asleep.client ?? asleep.serving) !== ended);
  assert.ok(endOf(asleep.client ?? asleep.serving) > clock.now(), 'a node whose certificate has ended joins again');
  await asleep.stop();

  const late = certificates();
  await clock.advance(61 * MINUTE_MS);
  await late.load();
  assert.deepEqual([late.client], [undefined], 'a certificate that has ended is of no use');
});
