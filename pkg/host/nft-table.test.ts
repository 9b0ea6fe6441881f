import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NftChain, type NftSet, type NftTable, renderDiff, renderTable } from './nft-table.ts';

function table(sets: Record<string, NftSet>, chains: Record<string, NftChain>): NftTable {
  return { family: 'ip', name: 't', sets: new Map(Object.entries(sets)), chains: new Map(Object.entries(chains)) };
}

function verdicts(elements: Record<string, string>): NftSet {
  return { kind: 'map', type: 'inet_service : verdict', elements: new Map(Object.entries(elements)) };
}

const hook = 'type nat hook output priority -100; policy accept;';
const one = table(
  { ports: verdicts({ 80: 'goto web' }) },
  { out: { hook, rules: ['th dport vmap @ports'] }, web: { rules: ['accept'] } },
);

test('a whole table replaces the old one in one transaction', () => {
  assert.equal(
    renderTable(one),
    [
      'add table ip t',
      'delete table ip t',
      'add table ip t',
      'add map ip t ports { type inet_service : verdict; }',
      `add chain ip t out { ${hook} }`,
      'add chain ip t web',
      'add rule ip t out th dport vmap @ports',
      'add rule ip t web accept',
      'add element ip t ports { 80 : goto web }',
      '',
    ].join('\n'),
  );
});

test('equal tables need no transaction', () => {
  assert.equal(renderDiff(one, table({ ports: verdicts({ 80: 'goto web' }) }, Object.fromEntries(one.chains))), '');
});

test('a chain is emptied and filled, an element replaced, what is gone is removed after its references', () => {
  const next = table(
    { ports: verdicts({ 81: 'goto dns', 82: 'drop' }) },
    { out: { hook, rules: ['th dport vmap @ports'] }, dns: { rules: ['drop'] } },
  );
  assert.equal(
    renderDiff(one, next),
    [
      'add chain ip t dns',
      'delete element ip t ports { 80 }',
      'flush chain ip t web',
      'add rule ip t dns drop',
      'add element ip t ports { 81 : goto dns, 82 : drop }',
      'delete chain ip t web',
      '',
    ].join('\n'),
  );
});

test('changed data of an element is deleted and added', () => {
  const next = table({ ports: verdicts({ 80: 'drop' }) }, Object.fromEntries(one.chains));
  assert.equal(renderDiff(one, next), 'delete element ip t ports { 80 }\nadd element ip t ports { 80 : drop }\n');
});

test('sets with time limits; a set cannot change its type', () => {
  const seen: NftSet = {
    kind: 'set',
    type: 'ipv4_addr',
    flags: ['dynamic', 'timeout'],
    timeoutSeconds: 60,
    elements: new Map(),
  };
  assert.equal(
    renderDiff(table({}, {}), table({ seen }, {})),
    'add set ip t seen { type ipv4_addr; flags dynamic,timeout; timeout 60s; }\n',
  );
  assert.equal(renderDiff(table({ seen }, {}), table({}, {})), 'delete set ip t seen\n');
  assert.throws(
    () => renderDiff(table({ seen }, {}), table({ seen: { ...seen, timeoutSeconds: 1 } }, {})),
    /another name/,
  );
});
