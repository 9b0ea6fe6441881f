import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PersistentVolume, PersistentVolumeSpec, Pod } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../api/resources.ts';
import { FakeClock } from '../../base/clock.ts';
import { errorText } from '../../base/log.ts';
import { MemoryClient } from '../../client/testing/memory-client.ts';
import { KubeletPaths } from '../kubelet-paths.ts';
import { makeContainer, makePod } from '../test-fixtures.ts';
import { ClaimVolumes } from './claim-volumes.ts';
import { removeLocalFolder } from './local-folder.ts';
import { nfsMountArguments } from './nfs.ts';

const FOLDER = 'pvc-01234567-89ab-cdef-0123-456789abcdef_default_data';

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-claims-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const podSpec: Pod['spec'] = {
  containers: [makeContainer('a')],
  volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
};

interface Given {
  readonly volume: Partial<PersistentVolumeSpec>;
  readonly own?: boolean;
  readonly phase?: string;
  readonly uid?: string;
  readonly spec?: Partial<Pod['spec']>;
}

/** Sets up the volume of a Pod whose claim is bound to a volume as given; resolves to `path` or `path ro`. */
async function mounted(root: string, given: Given): Promise<string> {
  const client = new MemoryClient(new FakeClock());
  const pod = makePod({ metadata: { uid: 'u' }, spec: { ...podSpec, ...given.spec } });
  const { namespace = '' } = pod.metadata;
  const claim = await client.create(persistentVolumeClaims, {
    metadata: { name: 'data', namespace },
    spec: { volumeName: 'pv' },
    status: { phase: given.phase ?? 'Bound' },
  });
  await client.create(persistentVolumes, {
    metadata: {
      name: 'pv',
      annotations: given.own ? { 'pv.kubernetes.io/provisioned-by': 'rancher.io/local-path' } : {},
    },
    spec: { claimRef: { uid: given.uid ?? claim.metadata.uid }, ...given.volume },
  } as unknown as PersistentVolume);
  const volumes = new ClaimVolumes({ client, paths: new KubeletPaths(root) });
  const [volume] = pod.spec.volumes ?? [];
  assert.ok(volume !== undefined && volumes.handles(volume));
  const { hostPath, readOnly } = await volumes.setUp(pod, volume);
  return readOnly ? `${hostPath} ro` : hostPath;
}

test('claims become the folders of their volumes', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'disk');
    await assert.rejects(mounted(folder, { volume: { local: { path } } }), /ENOENT/);
    const hostPath = { path, type: 'DirectoryOrCreate' };
    assert.equal(await mounted(folder, { volume: { hostPath } }), path);
    assert.equal(await mounted(folder, { volume: { local: { path } } }), path);
    const readOnly = [{ name: 'v', persistentVolumeClaim: { claimName: 'data', readOnly: true } }];
    assert.equal(await mounted(folder, { volume: { hostPath }, spec: { volumes: readOnly } }), `${path} ro`);
  }));

test('a folder of local-path is made for everyone, in a closed parent', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'storage', FOLDER);
    const before = process.umask(0o077);
    try {
      assert.equal(await mounted(folder, { volume: { local: { path } }, own: true }), path);
    } finally {
      process.umask(before);
    }
    assert.equal((statSync(path).mode & 0o777).toString(8), '777');
    assert.equal((statSync(join(folder, 'storage')).mode & 0o777).toString(8), '700');
  }));

test('fsGroup owns local volumes', { skip: process.getuid?.() !== 0 }, () =>
  inFolder(async (folder) => {
    writeFileSync(join(folder, 'file'), '', { mode: 0o600 });
    const spec = { securityContext: { fsGroup: 1234 } };
    await mounted(folder, { volume: { local: { path: folder } }, spec });
    const file = statSync(join(folder, 'file'));
    assert.deepEqual([file.gid, (file.mode & 0o777).toString(8)], [1234, '660']);
    writeFileSync(join(folder, 'later'), '', { mode: 0o600 });
    const calm = { securityContext: { fsGroup: 1234, fsGroupChangePolicy: 'OnRootMismatch' } };
    await mounted(folder, { volume: { local: { path: folder } }, spec: calm });
    assert.equal((statSync(join(folder, 'later')).mode & 0o777).toString(8), '600');
  }),
);

test('what keeps a claim from being mounted is told', () =>
  inFolder(async (folder) => {
    const local = { path: folder };
    const cases: [Given, RegExp][] = [
      [{ volume: { local }, phase: 'Pending' }, /^error processing PVC default\/data: PVC is not bound$/],
      [{ volume: { local }, uid: 'other' }, /^error processing PVC default\/data: PV pv is not bound to this PVC$/],
      [{ volume: { local, volumeMode: 'Block' } }, /volumeMode Block, which kedge does not support/],
      [
        { volume: { csi: { driver: 'd.example', volumeHandle: 'h' } } },
        /needs CSI driver d.example: kedge does not support CSI yet/,
      ],
      [{ volume: {} }, /^no volume plugin matched/],
    ];
    for (const [given, message] of cases) {
      const failure = await mounted(folder, given).then(assert.fail, errorText);
      assert.match(failure, message);
    }
  }));

test('only folders of local-path volumes are removed', () =>
  inFolder(async (folder) => {
    const path = join(folder, FOLDER);
    mkdirSync(join(path, 'deep/er'), { recursive: true });
    symlinkSync(folder, join(path, 'out'));
    writeFileSync(join(folder, 'beside'), '');
    await removeLocalFolder(path);
    await removeLocalFolder(path);
    assert.deepEqual([existsSync(path), existsSync(join(folder, 'beside'))], [false, true]);
    symlinkSync(folder, path);
    await assert.rejects(removeLocalFolder(path), /is not a folder$/);
    for (const other of [folder, '/', '', `${path}/..`, `${folder}/../${FOLDER}/x`, `${folder}/./${FOLDER}`]) {
      await assert.rejects(removeLocalFolder(other), /is not the folder of a local-path volume$/);
    }
  }));

test('the arguments of an NFS mount', () => {
  const source = { server: 'fd00::1', path: '/export', readOnly: true };
  assert.deepEqual(nfsMountArguments(source, '/t', ['nfsvers=4.1']), [
    ...['-t', 'nfs', '-o', 'nfsvers=4.1,ro'],
    ...['[fd00::1]:/export', '/t'],
  ]);
});
