import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CgroupTree } from '../../pkg/host/cgroup-tree.ts';
import { detectCgroups } from '../../pkg/host/cgroups.ts';
import { createPodCgroups } from '../../pkg/kubelet/pod-cgroups.ts';

const ROOT = `/kedge-pod-cgroups-${process.pid}`;

test('a process that the runtime has lost does not keep the cgroup of a Pod', async () => {
  const host = detectCgroups();
  const tree = await CgroupTree.open(host);
  const cgroups = await createPodCgroups({ ...host, driver: 'cgroupfs' }, ROOT);
  const lost = spawn('sleep', ['60']);
  try {
    await cgroups.start();
    const container = `${ROOT}/besteffort/poduid-1/container`;
    await tree.apply(container, {});
    const folder = join('/sys/fs/cgroup', host.version === 2 ? '' : 'memory', container);
    writeFileSync(join(folder, 'cgroup.procs'), String(lost.pid));
    const ended = once(lost, 'exit');
    await assert.rejects(cgroups.remove('uid-1'), { code: 'EBUSY' });
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    await cgroups.remove('uid-1');
    assert.equal(existsSync(folder), false);
  } finally {
    lost.kill('SIGKILL');
    await tree.remove(ROOT);
  }
});
