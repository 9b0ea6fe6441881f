import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planSliceProperties, sliceFolder, sliceName } from './systemd-slices.ts';

test('a cgroup below others is one slice in another', () => {
  const name = sliceName('/kubepods/burstable/podab-cd');
  assert.equal(name, 'kubepods-burstable-podab_cd.slice');
  assert.equal(
    sliceFolder(name),
    '/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podab_cd.slice',
  );
  assert.equal(sliceFolder('kubepods.slice'), '/sys/fs/cgroup/kubepods.slice');
});

test('limits as properties of a slice', () => {
  const limits = planSliceProperties({ cpuShares: 1024, cpuQuota: 12_345, memoryLimit: 1 << 20 });
  const named = new Map(limits.map(([name, type, value]) => [name, `${type} ${value}`]));
  assert.equal(named.get('CPUWeight'), 't 39');
  assert.equal(named.get('CPUQuotaPerSecUSec'), 't 130000', 'rounded up to 10 ms');
  assert.equal(named.get('MemoryMax'), 't 1048576');
  const none = planSliceProperties({}).map(([name]) => name);
  assert.deepEqual(
    none.filter((name) => /Weight|Quota|Max/.test(name)),
    [],
  );
});
