import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseDatastore, type Found } from './choose-datastore.ts';

test('where the data is follows from what is on disk first, then from the flags', () => {
  const server = 'https://10.0.0.1:6443';
  const cases: [libsql: boolean, etcd: Found['etcd'], init: boolean, server: string | undefined, expected: string][] = [
    [false, 'none', false, undefined, 'libsql'],
    [false, 'none', true, undefined, 'new'],
    [false, 'none', false, server, 'join'],
    [true, 'none', false, undefined, 'libsql'],
    [true, 'none', true, undefined, 'migrate'],
    [true, 'none', false, server, 'refuse'],
    // A move that was broken off begins again, or is given up.
    [true, 'present', true, undefined, 'migrate'],
    [true, 'present', false, undefined, 'libsql'],
    [false, 'present', false, undefined, 'existing'],
    [false, 'present', true, undefined, 'existing'],
    [false, 'present', false, server, 'existing'],
    [false, 'lost', false, server, 'join'],
    [false, 'lost', true, undefined, 'lost'],
    [false, 'lost', false, undefined, 'lost'],
    [true, 'lost', false, undefined, 'libsql'],
  ];
  for (const [libsql, etcd, init, url, expected] of cases) {
    assert.equal(chooseDatastore({ libsql, etcd }, { init, server: url }), expected);
  }
});
