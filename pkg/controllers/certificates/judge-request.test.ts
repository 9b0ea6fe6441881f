import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { createSigningRequest, type RequestedSubject } from '../../apimachinery/x509/signing-request.ts';
import { SIGNERS } from '../../registry/certificates/signers.ts';
import { JOINING_GROUP, joiningUserName } from './joining.ts';
import { judgeRequest, type RequestFacts } from './judge-request.ts';

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const OF_EDGE = { commonName: 'system:node:edge', organizations: ['system:nodes'] };

interface Asked {
  readonly signer?: string;
  readonly username?: string;
  readonly groups?: string[];
  readonly usages?: string[];
  readonly subject?: Partial<RequestedSubject>;
  readonly may?: string[];
  readonly owned?: Record<string, string>;
}

function verdict(asked: Asked): string {
  const subject = { ...OF_EDGE, dnsNames: [], ipAddresses: [], ...asked.subject };
  const facts: RequestFacts = {
    mayCreate: (subresource) => (asked.may ?? ['nodeclient', 'selfnodeclient']).includes(subresource),
    ownerOfAddress: (address) => asked.owned?.[address],
  };
  const spec = {
    request: Buffer.from(createSigningRequest(subject, keys)).toString('base64'),
    signerName: asked.signer ?? SIGNERS.kubeletClient,
    usages: asked.usages ?? ['digital signature', 'client auth'],
    username: asked.username ?? joiningUserName('edge'),
    groups: asked.groups ?? [JOINING_GROUP],
  };
  return judgeRequest(spec, facts).verdict;
}

test('client certificates go to the machine that was given the name, and to the node itself', () => {
  assert.equal(verdict({}), 'approve');
  assert.equal(verdict({ username: joiningUserName('other') }), 'deny');
  assert.equal(verdict({ username: 'system:node:edge', groups: ['system:nodes'] }), 'approve');
  assert.equal(verdict({ username: 'system:node:edge', groups: ['system:nodes'], may: ['nodeclient'] }), 'none');
  assert.equal(verdict({ may: ['selfnodeclient'] }), 'none');
  assert.equal(verdict({ usages: ['digital signature', 'client auth', 'server auth'] }), 'none');
  assert.equal(verdict({ usages: ['client auth'] }), 'none');
  assert.equal(verdict({ subject: { organizations: ['system:nodes', 'system:masters'] } }), 'none');
  assert.equal(verdict({ subject: { commonName: 'system:admin' } }), 'none');
  assert.equal(verdict({ subject: { dnsNames: ['edge'] } }), 'none');
  assert.equal(verdict({ signer: SIGNERS.client }), 'none');
});

test('serving certificates go to the node itself, for its own name and addresses', () => {
  const serving = {
    signer: SIGNERS.kubeletServing,
    username: 'system:node:edge',
    usages: ['digital signature', 'server auth'],
    subject: { dnsNames: ['edge', 'localhost'], ipAddresses: ['127.0.0.1', '192.0.2.7'] },
  };
  assert.equal(verdict(serving), 'approve');
  assert.equal(verdict({ ...serving, username: joiningUserName('edge') }), 'none');
  assert.equal(verdict({ ...serving, username: 'system:node:other' }), 'none');
  assert.equal(verdict({ ...serving, subject: { dnsNames: ['kubernetes'], ipAddresses: [] } }), 'deny');
  assert.equal(verdict({ ...serving, owned: { '192.0.2.7': 'the address of a server' } }), 'deny');
  assert.equal(verdict({ ...serving, subject: {} }), 'none');
  assert.equal(verdict({ ...serving, usages: ['digital signature', 'client auth'] }), 'none');
});
