import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { imageArchive } from '../../packaging/images/oci-archive.ts';
import { tarArchive } from '../../packaging/images/tar.ts';
import { fullName, readArchiveNames } from './image-archive.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kedge-archive-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function namesIn(bytes: Uint8Array): Promise<string[]> {
  const path = join(dir, 'a.tar');
  writeFileSync(path, bytes);
  return readArchiveNames(path, new AbortController().signal);
}

function archiveOf(files: Record<string, string>): Buffer {
  return tarArchive(
    Object.entries(files).map(([path, text]) => ({ type: 'file', path, mode: 0o644, data: Buffer.from(text) })),
  );
}

test('names are read from plain and compressed archives, behind members of any size', async () => {
  const rootfs = [{ type: 'file', path: 'big', mode: 0o644, data: Buffer.alloc(300_001, 1) }] as const;
  const archive = imageArchive({ ref: 'example.test/a:1', architecture: 'amd64', rootfs });
  for (const bytes of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
    assert.deepEqual(await namesIn(bytes), ['example.test/a:1']);
  }
  const late = archiveOf({ 'layer.tar': 'x'.repeat(200_000), './manifest.json': '[{"RepoTags":["a:1","b/c:2"]}]' });
  assert.deepEqual(await namesIn(late), ['docker.io/library/a:1', 'docker.io/b/c:2']);
});

test('what is not an archive of named images is refused with the reason', async () => {
  const whole = archiveOf({ 'manifest.json': '[]', x: 'y'.repeat(5000) });
  await assert.rejects(namesIn(Buffer.from('hello')), /ends inside a member/);
  await assert.rejects(namesIn(Buffer.alloc(4000, 'hello')), /not a tar archive/);
  await assert.rejects(namesIn(gzipSync(whole).subarray(0, 60)), { name: 'ImageArchiveError' });
  await assert.rejects(namesIn(whole.subarray(0, 3000)), /ends inside a member/);
  await assert.rejects(namesIn(whole), /names no image/);
  await assert.rejects(namesIn(archiveOf({ 'manifest.json': '{' })), /not JSON/);
  await assert.rejects(namesIn(archiveOf({ 'index.json': '{"manifests":[{"annotations":null}]}' })), /names no image/);
  const short = { manifests: [{ annotations: { 'io.containerd.image.name': 'a:1' } }] };
  await assert.rejects(namesIn(archiveOf({ 'index.json': JSON.stringify(short) })), /not named in full/);
  await assert.rejects(namesIn(Buffer.alloc(0)), /names no image/);
});

test('full names', () => {
  const names = ['a:1', 'b/c:1', 'localhost/a:1', 'r.test/a:1', 'r:5000/a:1'].map(fullName);
  assert.deepEqual(names, ['docker.io/library/a:1', 'docker.io/b/c:1', 'localhost/a:1', 'r.test/a:1', 'r:5000/a:1']);
});
