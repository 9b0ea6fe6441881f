import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerdFacts, isOlder, parseContainerdVersion, renderContainerdConfig } from './containerd-config.ts';
import { containerdLayout } from './containerd-layout.ts';
import { hasCapability } from './runtime-host.ts';

const LAYOUT = containerdLayout('/data', '/run/kedge');
const FACTS: ContainerdFacts = {
  version: { major: 1, minor: 7 },
  cniBinDir: '/usr/lib/cni',
  runc: '/usr/sbin/runc',
  snapshotter: 'overlayfs',
  cgroupDriver: 'cgroupfs',
  hasSysResource: true,
};

/** The settings of one table of a rendered configuration. */
function table(text: string, name: string): Record<string, unknown> {
  const part = text.split(/^\[/m).find((section) => section.startsWith(`${name}]`)) ?? assert.fail(`no table ${name}`);
  const lines = part.split('\n').filter((line) => line.includes(' = '));
  return Object.fromEntries(
    lines.map((line) => [line.split(' = ')[0], JSON.parse(line.slice(line.indexOf(' = ') + 3))]),
  );
}

test('versions as the distributions print them', () => {
  const debian = 'containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3';
  assert.deepEqual(parseContainerdVersion(debian), { major: 1, minor: 6 });
  assert.deepEqual(parseContainerdVersion('containerd github.com/containerd/containerd/v2 2.1.9+unknown '), {
    major: 2,
    minor: 1,
  });
  assert.deepEqual(
    parseContainerdVersion('containerd containerd.io v1.7.28 b98a3aace656320842a23f4a392a33f46af97866'),
    {
      major: 1,
      minor: 7,
    },
  );
  assert.equal(parseContainerdVersion('containerd'), undefined);
  assert.equal(isOlder({ major: 1, minor: 5 }, { major: 1, minor: 6 }), true);
  assert.equal(isOlder({ major: 2, minor: 0 }, { major: 1, minor: 6 }), false);
});

test('containerd 1.x gets schema version 2, containerd 2.x version 3', () => {
  const old = renderContainerdConfig(LAYOUT, FACTS);
  assert.match(old, /^version = 2$/m);
  assert.equal(table(old, 'plugins."io.containerd.grpc.v1.cri"')['sandbox_image'], 'kedge.dev/pause:1');
  assert.equal(table(old, 'plugins."io.containerd.grpc.v1.cri".cni')['bin_dir'], '/usr/lib/cni');
  const recent = renderContainerdConfig(LAYOUT, { ...FACTS, version: { major: 2, minor: 1 } });
  assert.match(recent, /^version = 3$/m);
  const pinned = table(recent, 'plugins."io.containerd.cri.v1.images".pinned_images');
  assert.equal(pinned['sandbox'], 'kedge.dev/pause:1');
  assert.deepEqual(table(recent, 'plugins."io.containerd.cri.v1.runtime".cni')['bin_dirs'], ['/usr/lib/cni']);
  const first = renderContainerdConfig(LAYOUT, { ...FACTS, version: { major: 2, minor: 0 } });
  assert.equal(table(first, 'plugins."io.containerd.cri.v1.runtime".cni')['bin_dir'], '/usr/lib/cni');
});

test('without CAP_SYS_RESOURCE no score is lowered, neither for containerd nor for sandboxes', () => {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const able = renderContainerdConfig(LAYOUT, FACTS);
  assert.equal(table(able, cri)['restrict_oom_score_adj'], false);
  assert.match(able, /^oom_score = -999$/m);
  const unable = renderContainerdConfig(LAYOUT, { ...FACTS, hasSysResource: false });
  assert.equal(table(unable, cri)['restrict_oom_score_adj'], true);
  assert.doesNotMatch(unable, /oom_score =/);
});

test('cgroup driver and snapshotter are passed on, and the other snapshotter is off', () => {
  const text = renderContainerdConfig(LAYOUT, { ...FACTS, cgroupDriver: 'systemd', snapshotter: 'native' });
  const runc = table(text, 'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options');
  assert.deepEqual([runc['SystemdCgroup'], runc['Root']], [true, '/run/kedge/containerd/runc']);
  assert.match(text, /disabled_plugins = .*snapshotter\.v1\.overlayfs/);
  assert.doesNotMatch(text, /disabled_plugins = .*snapshotter\.v1\.native/);
});

test('capabilities are read from the effective set', () => {
  const status = 'CapPrm:\t000001ffffffffff\nCapEff:\t000001fffeffffff\nCapBnd:\t000001ffffffffff\n';
  assert.equal(hasCapability(status, 24n), false);
  assert.equal(hasCapability(status, 21n), true);
  assert.equal(hasCapability('', 0n), false);
});
