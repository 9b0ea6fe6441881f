import assert from 'node:assert/strict';
import { createServer as createPlainServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, before, test } from 'node:test';
import { OperatorError } from '../base/component.ts';
import { createAuthority, issueCertificate, type KeyPairPem } from '../pki/issue.ts';
import { fetchPinnedCa } from './ca-pin.ts';
import { UnansweredError } from './connection-failure.ts';
import { caBundleHash, type JoinToken } from './join-token.ts';

const DAY_MS = 24 * 3600 * 1000;
const { signal } = new AbortController();
const servers = new Set<{ close(): unknown; closeAllConnections(): void }>();
let authority: KeyPairPem;
let seen: (string | undefined)[];

before(async () => {
  authority = await createAuthority('ca', Date.now());
});

afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers.clear();
});

async function listening(server: Server | ReturnType<typeof createPlainServer>): Promise<number> {
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function serve(
  issuer: KeyPairPem,
  options: { readonly ip?: string; readonly now?: number; readonly code?: number; readonly body?: string } = {},
): Promise<string> {
  seen = [];
  const { ip = '127.0.0.1', now = Date.now(), code = 200, body = authority.certificate } = options;
  const leaf = {
    name: 's',
    issuer: 'server-ca' as const,
    usage: 'server' as const,
    commonName: 's',
    organizations: [],
  };
  const pair = await issueCertificate({ ...leaf, dnsNames: [], ipAddresses: [ip] }, issuer, now);
  const server = createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
    seen.push(request.url, request.headers.authorization);
    response.writeHead(code).end(body);
  });
  return `https://127.0.0.1:${await listening(server)}`;
}

function tokenFor(bundle: string | undefined): JoinToken {
  return { caHash: bundle === undefined ? undefined : caBundleHash(bundle), user: 'server', secret: 'geheim' };
}

function refused(server: string, token: JoinToken, words: RegExp): Promise<void> {
  return assert.rejects(
    fetchPinnedCa({ server, token, signal }),
    (error) => error instanceof OperatorError && words.test(error.message) && !error.message.includes('geheim'),
  );
}

test('the bundle that fits the token is got, and the secret stays here', async () => {
  const server = await serve(authority);
  assert.equal(await fetchPinnedCa({ server, token: tokenFor(authority.certificate), signal }), authority.certificate);
  assert.equal(await fetchPinnedCa({ server, token: tokenFor(undefined), signal }), authority.certificate);
  assert.deepEqual([...new Set(seen)], ['/cacerts', undefined]);
});

test('another cluster, and somebody in between, are refused', async () => {
  const other = await createAuthority('other', Date.now());
  await refused(await serve(authority), tokenFor(other.certificate), /CA of .* is not the one of the token/);
  await refused(await serve(other), tokenFor(authority.certificate), /not issued by the CA of its cluster/);
});

test('a server of another name, a clock that is off, what is no kedge server', async () => {
  const token = tokenFor(authority.certificate);
  await refused(await serve(authority, { ip: '192.0.2.1' }), token, /--tls-san=127.0.0.1/);
  const old = await serve(authority, { now: Date.now() - 366 * DAY_MS });
  await refused(old, token, /no longer valid here: check the clocks/);
  await refused(await serve(authority, { code: 404 }), token, /answers 404: is it/);
  await refused(await serve(authority, { body: 'hello' }), token, /no CA certificate/);
  const plain = createPlainServer((_, response) => response.end('hello'));
  await refused(`https://127.0.0.1:${await listening(plain)}`, token, /does not speak TLS/);
});

test('what may pass by itself is told apart', async () => {
  const token = tokenFor(authority.certificate);
  const starting = await serve(authority, { code: 503 });
  await assert.rejects(fetchPinnedCa({ server: starting, token, signal }), UnansweredError);
  const nobody = 'https://127.0.0.1:1';
  await assert.rejects(fetchPinnedCa({ server: nobody, token, signal }), (error) => {
    return error instanceof UnansweredError && /cannot reach .*ECONNREFUSED/.test(error.message);
  });
});
