import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatastoreError } from '../../datastore/datastore.ts';
import { datastoreFailure } from './datastore-failure.ts';

test('what a client did or can mend is told as such, not as an internal error', () => {
  const code = (of: DatastoreError['code']): number | undefined => datastoreFailure(new DatastoreError(of, 'x'))?.code;
  assert.deepEqual(
    [code('value-too-large'), code('invalid-key'), code('queue-full'), code('closed'), code('disk-full')],
    [413, 400, 429, 503, undefined],
  );
  assert.equal(datastoreFailure(new Error('x')), undefined);
});
