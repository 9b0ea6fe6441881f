import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseDatastore } from './choose-datastore.ts';

test('where the data is follows from what is on disk first, then from the flags', () => {
  const server = 'https://10.0.0.1:6443';
  const cases: [libsql: boolean, etcd: boolean, init: boolean, server: string | undefined, expected: string][] = [
    [false, false, false, undefined, 'libsql'],
    [false, false, true, undefined, 'new'],
    [false, false, false, server, 'join'],
    [true, false, false, undefined, 'libsql'],
    [true, false, true, undefined, 'migrate'],
    [true, false, false, server, 'refuse'],
    // A move that was broken off begins again, or is given up.
    [true, true, true, undefined, 'migrate'],
    [true, true, false, undefined, 'libsql'],
    [false, true, false, undefined, 'existing'],
    [false, true, true, undefined, 'existing'],
    [false, true, false, server, 'existing'],
  ];
  for (const [libsql, etcd, init, url, expected] of cases) {
    assert.equal(chooseDatastore({ libsql, etcd }, { init, server: url }), expected);
  }
});
