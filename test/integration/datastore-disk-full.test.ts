import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../../pkg/base/clock.ts';
import { cleanUpAfter, openTestDatastore, temporaryDirectory } from '../../pkg/datastore/libsql/testing.ts';
import { bytes, text } from '../../pkg/datastore/testing/values.ts';

/** A small file system of its own; undefined where mounting is not allowed. */
function smallDisk(t: TestContext, size: string): string | undefined {
  const dir = temporaryDirectory(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'kedge-test', dir], { stdio: 'pipe' });
  } catch {
    return undefined;
  }
  cleanUpAfter(t, () => execFileSync('umount', ['--lazy', dir]));
  return dir;
}

test('a full disk refuses writes with a clear error, loses nothing, and works again when there is space', async (t) => {
  const dir = smallDisk(t, '8m');
  if (dir === undefined) return t.skip('cannot mount a file system here');
  const path = join(dir, 'state.db');
  const store = await openTestDatastore(t, { path, clock: new FakeClock() });
  const ballast = join(dir, 'ballast');
  writeFileSync(ballast, new Uint8Array(4 * 1024 * 1024));

  const value = new Uint8Array(20_000).fill(3);
  const written: string[] = [];
  const codes = new Set<string>();
  for (let n = 0; n < 600; n++) {
    try {
      await store.create(`/k/${n}`, value);
      written.push(`/k/${n}`);
    } catch (error) {
      assert.ok(error instanceof Error && error.message.includes(path) && 'code' in error, String(error));
      codes.add(String(error.code));
    }
  }
  assert.deepEqual([...codes], ['disk-full']);
  assert.ok(written.length > 50 && written.length < 400);
  const revision = store.revision;
  assert.equal(text((await store.get('/k/0'))?.value.subarray(0, 1)), '\u0003');
  assert.deepEqual((await store.list('/k/')).kvs.length, written.length);
  assert.ok((await store.create('/lazy', bytes('x'), { durability: 'lazy' })).ok, 'memory still takes lazy writes');

  rmSync(ballast);
  assert.deepEqual(await store.create('/after', value), { ok: true, revision: revision + 2 });
  await store.close();
  const again = await openTestDatastore(t, { path });
  assert.deepEqual(
    (await again.list('/')).kvs.map((kv) => kv.key),
    [...written, '/after', '/lazy'].sort(),
  );
  await again.close();
});
