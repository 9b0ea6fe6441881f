import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createClient } from '@libsql/client/sqlite3';
import { bytes } from '../testing/values.ts';
import { openLibsqlDatastore } from './libsql-datastore.ts';
import { openTestDatastore, temporaryDirectory, testOptions } from './testing.ts';

/** Names and content of everything in a directory. */
const fingerprint = (dir: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(dir).map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(dir, name)))
        .digest('hex'),
    ]),
  );

/** The path of a closed database with some content. */
async function makeDatabase(t: TestContext, keys = 300): Promise<string> {
  const path = join(temporaryDirectory(t), 'db', 'state.db');
  const store = await openTestDatastore(t, { path });
  await Promise.all(Array.from({ length: keys }, (_, n) => store.create(`/k/${n}`, new Uint8Array(3000).fill(n))));
  await store.close();
  return path;
}

/** Asserts that opening `path` is refused with a message naming it, and that its directory stays as it is. */
async function assertRefused(t: TestContext, path: string, message: RegExp): Promise<void> {
  const before = fingerprint(dirname(path));
  await assert.rejects(openTestDatastore(t, { path }), (error) => {
    assert.ok(error instanceof Error && error.name === 'OperatorError', String(error));
    assert.ok(error.message.includes(path), error.message);
    assert.match(error.message, message);
    return true;
  });
  assert.deepEqual(fingerprint(dirname(path)), before);
}

function overwrite(path: string, offset: number, content: Uint8Array): void {
  const file = readFileSync(path);
  file.set(content, offset);
  writeFileSync(path, file);
}

test('the files are for their owner only, and a clean close leaves one file', async (t) => {
  const path = await makeDatabase(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(dirname(path)), ['state.db']);
  execFileSync('chmod', ['644', path]);
  const store = await openTestDatastore(t, { path });
  await store.create('/x', bytes('x'));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(`${path}-wal`).mode & 0o777, 0o600);
});

test('what is not a datastore is refused and left alone', async (t) => {
  const dir = temporaryDirectory(t);
  const inDirectory = (name: string, content: string | Uint8Array): string => {
    mkdirSync(join(dir, name));
    const path = join(dir, name, 'state.db');
    writeFileSync(path, content);
    return path;
  };
  await assertRefused(t, inDirectory('empty', ''), /not a kedge datastore/);
  await assertRefused(t, inDirectory('text', 'hello\n'.repeat(1000)), /not a kedge datastore/);
  await assertRefused(
    t,
    inDirectory(
      'random',
      new Uint8Array(8192).map((_, n) => (n * 7919) % 251),
    ),
    /not a kedge/,
  );
  const foreign = join(dir, 'foreign', 'state.db');
  mkdirSync(dirname(foreign));
  const client = createClient({ url: `file:${foreign}` });
  await client.execute('CREATE TABLE kine (id INTEGER PRIMARY KEY)');
  client.close();
  await assertRefused(t, foreign, /another program/);
});

test('a newer format is refused', async (t) => {
  const path = await makeDatabase(t, 1);
  overwrite(path, 60, new Uint8Array([0, 0, 0, 9]));
  await assertRefused(t, path, /format 9.*newer kedge/);
});

test('a damaged database is refused byte for byte, with its write-ahead log if it has one', async (t) => {
  const good = await makeDatabase(t);
  const size = statSync(good).size;
  const damaged = (name: string): string => {
    const path = join(dirname(dirname(good)), name, 'state.db');
    mkdirSync(dirname(path));
    copyFileSync(good, path);
    return path;
  };
  const garbage = new Uint8Array(4096).fill(0xa5);
  const middle = damaged('middle');
  overwrite(middle, Math.floor(size / 2 / 4096) * 4096, garbage);
  await assertRefused(t, middle, /corrupted/);
  const schema = damaged('schema');
  overwrite(schema, 100, garbage.subarray(0, 3000));
  await assertRefused(t, schema, /corrupted/);
  const short = damaged('short');
  truncateSync(short, Math.floor(size / 3 / 4096) * 4096);
  await assertRefused(t, short, /corrupted/);

  const live = await openTestDatastore(t, { path: good });
  await live.create('/after', bytes('x'));
  const crashed = damaged('crashed');
  copyFileSync(`${good}-wal`, `${crashed}-wal`);
  await live.close();
  assert.ok(statSync(`${crashed}-wal`).size > 0);
  overwrite(crashed, Math.floor(size / 2 / 4096) * 4096, garbage);
  await assertRefused(t, crashed, /corrupted/);
});

test('a missing database with a write-ahead log left is refused', async (t) => {
  const path = join(temporaryDirectory(t), 'state.db');
  writeFileSync(`${path}-wal`, 'x');
  await assertRefused(t, path, /is missing but/);
});

test('a database in use is refused: in this process and in another', async (t) => {
  const path = join(temporaryDirectory(t), 'state.db');
  const store = await openTestDatastore(t, { path });
  await assert.rejects(openTestDatastore(t, { path }), { name: 'OperatorError', message: /already open/ });
  const script = `
    import { openTestDatastore } from ${JSON.stringify(new URL('./testing.ts', import.meta.url).href)};
    const path = ${JSON.stringify(path)};
    try { await openTestDatastore({ after() {} }, { path }); console.log('opened'); }
    catch (error) { console.log(error.name + ': ' + error.message); }
  `;
  const run = (): string => execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.match(run(), /OperatorError: .*state\.db is in use by another kedge process/);
  assert.ok((await store.create('/a', bytes('x'))).ok);
  assert.match(run(), /in use/);
  assert.ok((await store.create('/b', bytes('x'))).ok);
});

test('a directory that cannot be made is refused', async (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  await assert.rejects(openTestDatastore(t, { path: join(file, 'db', 'state.db') }), { name: 'OperatorError' });
});

test('damage found while running ends the datastore: writers and onFatal are told', async (t) => {
  const path = join(temporaryDirectory(t), 'state.db');
  const fatal = Promise.withResolvers<string>();
  const store = await openLibsqlDatastore({
    ...testOptions,
    path,
    onFatal: (error) => fatal.resolve(error.code),
  });
  const value = new Uint8Array(100_000);
  for (let n = 0; n < 60; n++) await store.create(`/${n}`, value);
  truncateSync(path, 0);
  truncateSync(`${path}-wal`, 0);
  const results = await Promise.allSettled([store.list('/'), store.create('/x', value), store.get('/3')]);
  assert.ok(results.some((result) => result.status === 'rejected' && result.reason.code === 'failed'));
  assert.equal(await fatal.promise, 'failed');
  await assert.rejects(store.create('/y', value), { code: 'failed' });
  await store.close();
  assert.ok(existsSync(path));
});
