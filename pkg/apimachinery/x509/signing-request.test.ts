import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { createSigningRequest, parseSigningRequest } from './signing-request.ts';

const subject = {
  commonName: 'system:node:edge-1',
  organizations: ['system:nodes'],
  dnsNames: ['edge-1', 'localhost'],
  ipAddresses: ['192.0.2.7', '2001:db8::7'],
};

test('openssl understands a request, and a request is read as it was made', () => {
  const pem = createSigningRequest(subject, generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  const text = execFileSync('openssl', ['req', '-noout', '-text', '-verify'], { input: pem, stdio: 'pipe' }).toString();
  assert.match(text, /Subject: O = system:nodes, CN = system:node:edge-1/);
  assert.match(text, /DNS:edge-1, DNS:localhost, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7/);
  const { publicKey: _, ...read } = parseSigningRequest(pem);
  assert.deepEqual(read, { ...subject, emailAddresses: [], uris: [] });
});

test('requests of openssl with other keys are read', () => {
  for (const key of [['rsa:2048'], ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], ['ed25519']]) {
    const args = ['req', '-new', '-nodes', '-keyout', '/dev/null', '-subj', '/O=a/O=b/CN=user', '-newkey', ...key];
    const pem = execFileSync('openssl', args, { stdio: 'pipe' }).toString();
    const { commonName, organizations, dnsNames } = parseSigningRequest(pem);
    assert.deepEqual([commonName, organizations, dnsNames], ['user', ['a', 'b'], []]);
  }
});

test('what is no request, or was changed, is refused', () => {
  const pem = createSigningRequest(subject, generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  assert.throws(() => parseSigningRequest(''), /PEM block type must be CERTIFICATE REQUEST/);
  assert.throws(() => parseSigningRequest(pem.replaceAll('REQUEST', 'REQUESTS')), /PEM block type/);
  const bytes = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
  const armoured = (data: Buffer): string =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${data.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  const at = bytes.indexOf('edge-1');
  const forged = Buffer.from(bytes);
  forged.write('edge-2', at);
  assert.throws(() => parseSigningRequest(armoured(forged)), /the signature does not fit/);
  for (let length = 0; length < bytes.length; length += 7) {
    assert.throws(() => parseSigningRequest(armoured(bytes.subarray(0, length))));
  }
});
