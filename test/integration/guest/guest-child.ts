/** Runs in a guest. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { exec } from '../../../pkg/host/exec.ts';

test('a kernel of its own: IPVS, dummy devices, cgroup v2', async () => {
  await exec(['ip', 'link', 'add', 'kube-ipvs0', 'type', 'dummy']);
  assert.match(await exec(['ipvsadm', '-Ln']), /IP Virtual Server/);
  assert.match(readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8'), /memory/);
});

test('no network but its own', async () => {
  const devices = JSON.parse(await exec(['ip', '-json', 'link'])) as { ifname: string }[];
  assert.deepEqual(devices.map(({ ifname }) => ifname).sort(), ['kube-ipvs0', 'lo']);
});

test('what it writes stays in it', () => {
  assert.ok(existsSync(import.meta.filename));
  writeFileSync(`${import.meta.filename}.guest`, 'written by a guest');
});
