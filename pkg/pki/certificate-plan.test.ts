import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY_MS, type ExistingLeaf, type LeafSpec, planCertificates } from './certificate-plan.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const wanted: LeafSpec = {
  name: 'serving',
  issuer: 'server-ca',
  commonName: 'node-1',
  organizations: [],
  usage: 'server',
  dnsNames: ['node-1', 'localhost'],
  ipAddresses: ['127.0.0.1', '::1'],
};
const good: ExistingLeaf = {
  issuer: 'server-ca',
  commonName: 'node-1',
  organizations: [],
  usages: ['server'],
  dnsNames: ['localhost', 'node-1'],
  ipAddresses: ['::1', '127.0.0.1'],
  notBefore: NOW - DAY_MS,
  notAfter: NOW + 300 * DAY_MS,
  keyMatches: true,
};

function reason(change: Partial<ExistingLeaf> | undefined): string {
  const existing = new Map(change === undefined ? [] : [['serving', { ...good, ...change }]]);
  return planCertificates(existing, [wanted], NOW)
    .map((issue) => issue.reason)
    .join();
}

test('a certificate that fits is kept, whatever the order of its names', () => {
  assert.equal(reason({}), '');
});

test('each way of not fitting is a reason to issue', () => {
  assert.equal(reason(undefined), 'missing');
  assert.equal(reason({ keyMatches: false }), 'key does not match');
  assert.equal(reason({ issuer: undefined }), 'signed by another authority');
  assert.equal(reason({ issuer: 'client-ca' }), 'signed by another authority');
  assert.equal(reason({ commonName: 'node-2' }), 'subject changed');
  assert.equal(reason({ organizations: ['system:masters'] }), 'subject changed');
  assert.equal(reason({ usages: ['client'] }), 'usage changed');
  assert.equal(reason({ dnsNames: ['localhost'] }), 'names or addresses changed');
  assert.equal(reason({ ipAddresses: [...good.ipAddresses, '10.0.0.1'] }), 'names or addresses changed');
  assert.equal(reason({ notBefore: NOW + 1 }), 'not yet valid');
});

test('renewal begins when less than 120 days remain', () => {
  assert.equal(reason({ notAfter: NOW + 120 * DAY_MS }), '');
  assert.equal(reason({ notAfter: NOW + 120 * DAY_MS - 1 }), 'expires soon');
  assert.equal(reason({ notAfter: NOW - DAY_MS }), 'expires soon');
});
