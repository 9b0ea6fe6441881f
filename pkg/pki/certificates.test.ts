import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { FakeClock } from '../base/clock.ts';
import { OperatorError } from '../base/component.ts';
import { silentLogger } from '../base/log.ts';
import { type Paths, pathsFor } from '../base/paths.ts';
import { DAY_MS } from './certificate-plan.ts';
import { CertificateManager, type CertificateOptions, type Certificates, ensureCertificates } from './certificates.ts';
import { readLeaf } from './read-certificate.ts';
import { ensureSigningKey } from './signing-key.ts';

let directory: string;
let paths: Paths;
let certificates: Certificates;
const subject = {
  nodeName: 'node-1',
  nodeIPs: ['192.0.2.7', '2001:db8:0:0::7'],
  serviceIP: '10.43.0.1',
  clusterDomain: 'cluster.local',
  tlsSans: ['edge.example.com', '203.0.113.9'],
};
const clock = new FakeClock(Date.now());

function options(change: Partial<CertificateOptions> = {}): CertificateOptions {
  return { paths, subject, clock, log: silentLogger, ...change };
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-pki-'));
  paths = pathsFor(directory);
  const first = await ensureCertificates(options());
  certificates = first.certificates;
  assert.equal(first.changed.length, 9);
});
after(() => rm(directory, { recursive: true }));

test('a second start only reads', async () => {
  const times = async () => (await stat(join(paths.tls, 'serving-kube-apiserver.crt'))).mtimeMs;
  const written = await times();
  const second = await ensureCertificates(options());
  assert.deepEqual(second.changed, []);
  assert.deepEqual(second.certificates, certificates);
  assert.equal(await times(), written);
});

test('keys and their directory are private', async () => {
  assert.equal((await stat(paths.tls)).mode & 0o777, 0o700);
  assert.equal((await stat(join(paths.tls, 'server-ca.key'))).mode & 0o777, 0o600);
  assert.equal((await stat(join(paths.agent, 'client-kubelet.key'))).mode & 0o777, 0o600);
});

test('openssl accepts every certificate for its purpose', () => {
  const verify = (authority: string, purpose: string, leaf: string) =>
    execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', authority, '-purpose', purpose, leaf]).toString();
  const serverCA = join(paths.tls, 'server-ca.crt');
  const clientCA = join(paths.tls, 'client-ca.crt');
  assert.match(verify(serverCA, 'sslserver', join(paths.tls, 'serving-kube-apiserver.crt')), /OK/);
  assert.match(verify(serverCA, 'sslserver', join(paths.agent, 'serving-kubelet.crt')), /OK/);
  assert.match(verify(clientCA, 'sslclient', join(paths.tls, 'client-admin.crt')), /OK/);
  assert.match(verify(clientCA, 'sslclient', join(paths.agent, 'client-kubelet.crt')), /OK/);
  assert.throws(() => verify(clientCA, 'sslserver', join(paths.tls, 'serving-kube-apiserver.crt')));
});

test('the API server certificate carries every name it is called by', () => {
  const certificate = new X509Certificate(certificates.leaves['serving-kube-apiserver'].certificate);
  for (const host of ['kubernetes', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost']) {
    assert.equal(certificate.checkHost(host), host);
  }
  for (const host of ['node-1', 'edge.example.com']) assert.equal(certificate.checkHost(host), host);
  for (const ip of ['127.0.0.1', '::1', '192.0.2.7', '2001:db8::7', '10.43.0.1', '203.0.113.9']) {
    assert.equal(certificate.checkIP(ip), ip);
  }
  assert.equal(certificate.checkHost('other.example.com'), undefined);
});

test('server and client recognise each other in a TLS handshake', async () => {
  const { authorities, leaves } = certificates;
  const server = createServer({
    cert: leaves['serving-kube-apiserver'].certificate,
    key: leaves['serving-kube-apiserver'].key,
    ca: authorities['client-ca'].certificate,
    requestCert: true,
    rejectUnauthorized: false,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const handshake = async (client: { cert?: string; key?: string }): Promise<[boolean, unknown]> => {
    const accepted = new Promise<[boolean, unknown]>((resolve) =>
      server.once('secureConnection', (socket: TLSSocket) =>
        resolve([socket.authorized, socket.getPeerCertificate()?.subject]),
      ),
    );
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: authorities['server-ca'].certificate,
      servername: 'kubernetes.default',
      ...client,
    });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    assert.equal(socket.authorized, true);
    const result = await accepted;
    socket.destroy();
    return result;
  };
  const admin = { cert: leaves['client-admin'].certificate, key: leaves['client-admin'].key };
  const [authorized, peer] = await handshake(admin);
  assert.equal(authorized, true);
  assert.deepEqual({ ...(peer as object) }, { O: 'system:masters', CN: 'system:admin' });
  const proxy = { cert: leaves['client-auth-proxy'].certificate, key: leaves['client-auth-proxy'].key };
  assert.equal((await handshake(proxy))[0], false, 'the request header authority is not one for clients');
  assert.equal((await handshake({}))[0], false);
  await new Promise((resolve) => server.close(resolve));
});

test('a changed address, a damaged file and a foreign key are mended, one certificate each', async () => {
  const moved = await ensureCertificates(options({ subject: { ...subject, tlsSans: ['edge.example.com'] } }));
  assert.deepEqual(moved.changed, ['serving-kube-apiserver']);
  await truncate(join(paths.tls, 'client-admin.crt'), 0);
  await writeFile(join(paths.tls, 'client-scheduler.key'), certificates.leaves['client-admin'].key);
  const mended = await ensureCertificates(options());
  assert.deepEqual(mended.changed, ['serving-kube-apiserver', 'client-admin', 'client-scheduler']);
  assert.deepEqual((await ensureCertificates(options())).changed, []);
});

test('an authority is never replaced silently', async () => {
  const key = join(paths.tls, 'request-header-ca.key');
  const content = await readFile(key);
  await unlink(key);
  await assert.rejects(ensureCertificates(options()), OperatorError);
  await writeFile(key, certificates.authorities['client-ca'].key);
  await assert.rejects(ensureCertificates(options()), /do not belong together/);
  await writeFile(key, content);
  assert.deepEqual((await ensureCertificates(options())).changed, []);
});

test('the manager renews while running and tells its users', async () => {
  const time = new FakeClock(Date.now());
  const own = pathsFor(join(directory, 'renewal'));
  const manager = new CertificateManager(options({ clock: time, paths: own, lifetimeMs: DAY_MS }));
  await manager.start(new AbortController().signal);
  const first = manager.current;
  const renewed = new Promise<Certificates>((resolve) => manager.onChange(resolve));
  await time.advance((246 / 365) * DAY_MS);
  const next = await renewed;
  assert.notEqual(next.leaves['client-admin'].certificate, first.leaves['client-admin'].certificate);
  assert.deepEqual(next.authorities, first.authorities);
  // The clock was wrong, and is set: nobody waits for half a day then.
  const after = new Promise<Certificates>((resolve) => manager.onChange(resolve));
  time.set(time.now() + 400 * DAY_MS);
  await time.advance(60_000);
  const last = await after;
  assert.ok(Date.parse(new X509Certificate(last.leaves['client-admin'].certificate).validTo) > time.now());
  await manager.stop();
});

test('a leaf of an operator-provided RSA authority is issued and recognised', async () => {
  const own = pathsFor(join(directory, 'custom'));
  await ensureCertificates(options({ paths: own }));
  const stem = join(own.tls, 'server-ca');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3000', '-subj', '/CN=ours'],
      ...['-addext', 'keyUsage=critical,keyCertSign,digitalSignature'],
      ...['-keyout', `${stem}.key`, '-out', `${stem}.crt`],
    ],
    { stdio: 'ignore' },
  );
  const { changed, certificates: made } = await ensureCertificates(options({ paths: own }));
  assert.deepEqual(changed, ['serving-kube-apiserver', 'serving-kubelet']);
  const authority = new X509Certificate(made.authorities['server-ca'].certificate);
  assert.equal(readLeaf(made.leaves['serving-kubelet'], new Map([['server-ca', authority]]))?.issuer, 'server-ca');
});

test('the signing key is made once and refused when it is something else', async () => {
  const first = await ensureSigningKey(paths);
  const second = await ensureSigningKey(paths);
  assert.ok(first.publicKey.equals(second.publicKey));
  assert.equal((await stat(join(paths.tls, 'service.key'))).mode & 0o777, 0o600);
  await writeFile(join(paths.tls, 'service.key'), 'nonsense');
  await assert.rejects(ensureSigningKey(paths), OperatorError);
});
