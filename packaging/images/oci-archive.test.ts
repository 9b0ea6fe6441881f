import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderEntries, imageArchive } from './oci-archive.ts';
import { tarArchive } from './tar.ts';

test('a folder packed by tarArchive is what tar unpacks', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-tar-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const deep = `${'d'.repeat(60)}/${'e'.repeat(60)}`;
  mkdirSync(join(dir, 'in', deep), { recursive: true });
  mkdirSync(join(dir, 'out'));
  writeFileSync(join(dir, 'in', deep, 'file'), 'x'.repeat(1000));
  writeFileSync(join(dir, 'in/empty'), '');
  chmodSync(join(dir, 'in/empty'), 0o755);
  symlinkSync('empty', join(dir, 'in/link'));
  const archive = tarArchive(folderEntries(join(dir, 'in')));
  assert.deepEqual(tarArchive(folderEntries(join(dir, 'in'))), archive, 'the same bytes again');
  execFileSync('tar', ['-x', '-f', '-', '-C', join(dir, 'out')], { input: archive });
  assert.equal(readFileSync(join(dir, 'out', deep, 'file'), 'utf8'), 'x'.repeat(1000));
  assert.equal(statSync(join(dir, 'out/link')).size, 0);
  assert.equal(statSync(join(dir, 'out/empty')).mode & 0o777, 0o755);
  assert.throws(() => tarArchive([{ type: 'directory', path: 'x'.repeat(300), mode: 0o755 }]), RangeError);
});

test('an image archive is an OCI layout and a docker archive of the same blobs', () => {
  const archive = imageArchive({ ref: 'example.test:5000/a/b:1', architecture: 'arm64', rootfs: [], cmd: ['sh'] });
  const text = archive.toString('latin1');
  assert.match(text, /"RepoTags":\["example\.test:5000\/a\/b:1"\]/);
  assert.match(text, /"org\.opencontainers\.image\.ref\.name":"1"/);
  assert.match(text, /"architecture":"arm64"/);
  const names = execFileSync('tar', ['-t', '-f', '-'], { input: archive, encoding: 'utf8' }).trim().split('\n');
  assert.deepEqual(names.slice(0, 3), ['oci-layout', 'index.json', 'manifest.json']);
  assert.equal(names.length, 6);
});
