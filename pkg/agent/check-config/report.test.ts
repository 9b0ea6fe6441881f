import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KERNEL_OPTIONS, parseKernelConfig } from './kernel-options.ts';
import type { MachineFindings } from './probe.ts';
import { judge, passes, type Section } from './report.ts';

const complete = parseKernelConfig(KERNEL_OPTIONS.map(({ name }) => `CONFIG_${name}=m\n`).join(''));
const machine: MachineFindings = {
  programs: [{ name: 'runc', need: 'required', use: 'containers', package: 'runc', path: '/usr/sbin/runc' }],
  kernelVersion: '6.1.0',
  kernel: complete,
  cgroups: { version: 2, controllers: new Set(['cpu', 'memory', 'pids']), driver: 'systemd' },
  hasDbus: true,
  hasSysResource: true,
  hasSwap: false,
  inotifyInstances: 128,
};

function problems(sections: readonly Section[]): string[] {
  return sections
    .flatMap(({ findings }) => findings)
    .filter(({ result }) => result !== 'pass')
    .map(({ what, result, text }) => `${result} ${what}: ${text}`);
}

test('a kernel configuration', () => {
  const states = parseKernelConfig('CONFIG_VETH=m\n# CONFIG_IP_VS is not set\nCONFIG_NET_NS=y\nCONFIG_HZ=250\n');
  assert.deepEqual(
    [...states],
    [
      ['VETH', 'module'],
      ['NET_NS', 'built in'],
    ],
  );
});

test('a machine that has all', () => {
  const sections = judge(machine);
  assert.deepEqual(problems(sections), []);
  assert.ok(passes(sections));
});

test('what is recommended may be missing', () => {
  const sections = judge({
    ...machine,
    kernel: new Map([...complete].filter(([name]) => name !== 'DUMMY')),
    programs: [{ name: 'ipset', need: 'recommended', use: 'Services over IPVS', package: 'ipset', path: undefined }],
    hasSwap: true,
    hasDbus: false,
  });
  assert.deepEqual(problems(sections), [
    'warn ipset: missing (Services over IPVS): apt install ipset',
    'warn swap: on: Pods are kept from it, and the memory they use is harder to tell',
    'warn D-Bus: missing: the limits of whole Pods do not hold: apt install dbus',
    'warn CONFIG_DUMMY: missing (Services over IPVS)',
  ]);
  assert.ok(passes(sections));
  assert.ok(passes(judge({ ...machine, kernel: undefined })), 'a kernel that does not tell is no fault');
});

test('what is required may not', () => {
  const lacking: readonly Partial<MachineFindings>[] = [
    { kernel: new Map([...complete].filter(([name]) => name !== 'VETH')) },
    { programs: [{ name: 'runc', need: 'required', use: 'containers', package: 'runc', path: undefined }] },
    { cgroups: { version: 1, controllers: new Set(['cpu', 'pids']), driver: 'cgroupfs' } },
  ];
  for (const part of lacking) assert.ok(!passes(judge({ ...machine, ...part })));
});
