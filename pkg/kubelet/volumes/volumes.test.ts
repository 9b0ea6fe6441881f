import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConfigMap, Secret, Volume } from '../../api/generated/core-v1.ts';
import { makeContainer, makePod } from '../test-fixtures.ts';
import { writePayload } from './atomic-writer.ts';
import { ensureHostPath } from './host-path.ts';
import { type Payload, type PayloadInput, volumePayload } from './payload.ts';
import { bindSubPath } from './subpath.ts';

const metadata = { name: 'x', namespace: 'default', uid: 'u', resourceVersion: '1', creationTimestamp: '' };
const configMap: ConfigMap = {
  metadata,
  data: { a: 'A', b: 'B' },
  binaryData: { bin: Buffer.from([0, 1]).toString('base64') },
};
const secret: Secret = { metadata, data: { key: Buffer.from('geheim').toString('base64') } };

const input: PayloadInput = {
  pod: makePod({ metadata: { labels: { z: '1', a: 'x' } } }),
  data: {
    configMap: (name) => (name === 'cfg' ? configMap : undefined),
    secret: (name) => (name === 'sec' ? secret : undefined),
  },
  place: { nodeName: 'n', hostIPs: [], podIPs: [], allocatable: { cpu: 1, memory: 1, ephemeralStorage: 1 } },
  token: (source) => `token for ${source.audience ?? 'the API'}`,
};

function shown(source: Omit<Volume, 'name'>, from = input): string[] {
  return [...volumePayload({ name: 'v', ...source }, from)].map(
    ([path, { data, mode, uid }]) =>
      `${path} ${mode.toString(8)}${uid === undefined ? '' : ` ${uid}`} ${data.toString('latin1')}`,
  );
}

test('the files of volumes', () => {
  assert.deepEqual(shown({ configMap: { name: 'cfg' } }), ['a 644 A', 'b 644 B', 'bin 644 \x00\x01']);
  const items = [{ key: 'a', path: 'deep/a', mode: 0o600 }];
  assert.deepEqual(shown({ configMap: { name: 'cfg', items, defaultMode: 0o640 } }), ['deep/a 600 A']);
  assert.deepEqual(shown({ secret: { secretName: 'sec', defaultMode: 0o400 } }), ['key 400 geheim']);
  assert.deepEqual(shown({ secret: { secretName: 'none', optional: true } }), []);
  const labels = { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } };
  assert.deepEqual(shown({ downwardAPI: { items: [labels] } }), ['labels 644 a="x"\nz="1"']);
  const sources = [
    { configMap: { name: 'cfg', items: [{ key: 'a', path: 'ca.crt' }] } },
    { serviceAccountToken: { path: 'token', audience: 'vault' } },
    { downwardAPI: { items: [{ path: 'ns', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
  ];
  assert.deepEqual(shown({ projected: { sources } }), ['ca.crt 644 A', 'token 644 token for vault', 'ns 644 default']);
  const owned = makePod({ spec: { containers: [makeContainer('a')], securityContext: { runAsUser: 1000 } } });
  assert.equal(shown({ projected: { sources } }, { ...input, pod: owned })[1], 'token 600 1000 token for vault');
});

test('what is missing and required keeps a volume from being made', () => {
  const cases: readonly (readonly [Omit<Volume, 'name'>, RegExp])[] = [
    [{ configMap: { name: 'none' } }, /^configmap "none" not found$/],
    [{ secret: { secretName: 'none' } }, /^secret "none" not found$/],
    [{ configMap: { name: 'cfg', items: [{ key: 'z', path: 'z' }] } }, /^references non-existent config key: z$/],
    [{ configMap: { name: 'cfg', items: [{ key: 'a', path: '../a' }] } }, /^invalid path/],
  ];
  for (const [source, message] of cases) assert.throws(() => shown(source), { name: 'PayloadError', message });
});

const payload = (files: Record<string, string>): Payload =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode: 0o644 }]));

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-volumes-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('atomic volumes change by one rename', () =>
  inFolder(async (folder) => {
    assert.equal(await writePayload(folder, payload({ a: '1', 'sub/b': '2' }), undefined, 0), true);
    assert.equal(readlinkSync(join(folder, 'a')), '..data/a');
    assert.equal(readlinkSync(join(folder, 'sub')), '..data/sub');
    assert.equal(readFileSync(join(folder, 'sub/b'), 'utf8'), '2');
    const first = readlinkSync(join(folder, '..data'));
    assert.match(first, /^\.\.1970_01_01_00_00_00\./);
    assert.equal(await writePayload(folder, payload({ a: '1', 'sub/b': '2' }), undefined, 0), false);
    assert.equal(readlinkSync(join(folder, '..data')), first);
    assert.equal(await writePayload(folder, payload({ a: '3', c: '4' }), undefined, 1000), true);
    assert.equal(readFileSync(join(folder, 'a'), 'utf8'), '3');
    assert.equal(existsSync(join(folder, 'sub')), false);
    assert.equal(existsSync(join(folder, first)), false);
    assert.equal(lstatSync(join(folder, 'c')).isSymbolicLink(), true);
  }));

test('fsGroup gives the group the right to read', { skip: process.getuid?.() !== 0 }, () =>
  inFolder(async (folder) => {
    await writePayload(folder, new Map([['key', { data: Buffer.from('x'), mode: 0o400 }]]), 2000, 0);
    const info = statSync(join(folder, 'key'));
    assert.deepEqual([info.gid, (info.mode & 0o777).toString(8)], [2000, '440']);
  }),
);

test('host paths are what they are said to be', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'made');
    await assert.rejects(ensureHostPath({ path, type: 'Directory' }), {
      message: `hostPath type check failed: ${path} is not a directory`,
    });
    await ensureHostPath({ path, type: '' });
    assert.equal(existsSync(path), false);
    await ensureHostPath({ path, type: 'DirectoryOrCreate' });
    await ensureHostPath({ path, type: 'Directory' });
    await assert.rejects(ensureHostPath({ path, type: 'File' }), /is not a file$/);
    await ensureHostPath({ path: join(path, 'file'), type: 'FileOrCreate' });
    await ensureHostPath({ path: join(path, 'file'), type: 'File' });
  }));

test('a subPath does not follow symlinks out of its volume', () =>
  inFolder(async (folder) => {
    mkdirSync(join(folder, 'volume'));
    symlinkSync('/etc', join(folder, 'volume/link'));
    const bind = (subPath: string): Promise<void> =>
      bindSubPath(join(folder, 'volume'), subPath, join(folder, 'target'), false);
    await assert.rejects(bind('link/ssh'), /goes through a symlink/);
    await assert.rejects(bind('link'), /goes through a symlink/);
    await assert.rejects(bind('a/../../x'), /leaves its volume/);
    assert.equal(existsSync(join(folder, 'target')), false);
  }));
