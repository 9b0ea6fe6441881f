import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProbeVerdict, ProbeVerdicts } from './container-kill.ts';
import { computePodActions } from './pod-actions.ts';
import type { ContainerRuntimeStatus, SandboxRuntimeStatus } from './runtime-status.ts';
import { makeContainer, makeInstance, makePod, makeRuntime, makeSandbox, type PodParts } from './test-fixtures.ts';

const app = makeContainer('app');
const side = makeContainer('side', { restartPolicy: 'Always' });
const first = makeContainer('first');
const second = makeContainer('second');
const sidecarSpec = { initContainers: [side, first], containers: [app] };

function verdicts(liveness: Record<string, ProbeVerdict>, startup: Record<string, ProbeVerdict> = {}): ProbeVerdicts {
  return { liveness: (id) => liveness[id], startup: (id) => startup[id] };
}
const none = verdicts({});
const exited = (exitCode: number, parts: Partial<ContainerRuntimeStatus> = {}) =>
  makeInstance(app, 'exited', { exitCode, ...parts });
const dead = makeSandbox({ ready: false });

interface Case {
  readonly name: string;
  readonly pod?: PodParts;
  readonly containers: readonly ContainerRuntimeStatus[];
  readonly sandboxes?: readonly SandboxRuntimeStatus[];
  readonly probes?: ProbeVerdicts;
  /** `kill-pod`, `sandbox <attempt>`, `init <name>`, `start <name>`, `ephemeral <name>`, `kill <name> <reason>`. */
  readonly expected: readonly string[];
}

const init = { initContainers: [first, second] };
const cases: readonly Case[] = [
  { name: 'a new Pod', containers: [], sandboxes: [], expected: ['kill-pod', 'sandbox 0', 'start app'] },
  {
    name: 'a new Pod with init containers',
    pod: { spec: init },
    containers: [],
    sandboxes: [],
    expected: ['kill-pod', 'sandbox 0', 'init first'],
  },
  { name: 'a fresh sandbox', containers: [], expected: ['start app'] },
  { name: 'all is well', containers: [makeInstance(app, 'running')], expected: [] },
  {
    name: 'the sandbox died',
    containers: [exited(137)],
    sandboxes: [dead],
    expected: ['kill-pod', 'sandbox 1', 'start app'],
  },
  {
    name: 'the sandbox of a Never Pod died',
    pod: { spec: { restartPolicy: 'Never' } },
    containers: [exited(137)],
    sandboxes: [makeSandbox({ ready: false, attempt: 1 })],
    expected: ['kill-pod'],
  },
  {
    name: 'the sandbox of a completed OnFailure Pod died',
    pod: { spec: { restartPolicy: 'OnFailure' } },
    containers: [exited(0)],
    sandboxes: [dead],
    expected: ['kill-pod'],
  },
  {
    name: 'a sandbox without an address',
    containers: [],
    sandboxes: [makeSandbox({ ips: [] })],
    expected: ['kill-pod', 'sandbox 1', 'start app'],
  },
  {
    name: 'a host network sandbox needs none',
    pod: { spec: { hostNetwork: true } },
    containers: [],
    sandboxes: [makeSandbox({ ips: [], hostNetwork: true })],
    expected: ['start app'],
  },
  { name: 'Always restarts a success', containers: [exited(0)], expected: ['start app'] },
  {
    name: 'OnFailure restarts a failure',
    pod: { spec: { restartPolicy: 'OnFailure' } },
    containers: [exited(1)],
    expected: ['start app'],
  },
  {
    name: 'OnFailure leaves a success',
    pod: { spec: { restartPolicy: 'OnFailure' } },
    containers: [exited(0)],
    expected: ['kill-pod'],
  },
  {
    name: 'Never leaves a failure',
    pod: { spec: { restartPolicy: 'Never' } },
    containers: [exited(1)],
    expected: ['kill-pod'],
  },
  {
    name: 'a deleted Pod starts nothing',
    pod: { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } },
    containers: [exited(1)],
    expected: ['kill-pod'],
  },
  {
    name: 'an unknown container is killed and replaced',
    containers: [makeInstance(app, 'unknown')],
    expected: ['start app', 'kill app Unknown'],
  },
  {
    name: 'a changed image restarts in place, even under Never',
    pod: { spec: { restartPolicy: 'Never' } },
    containers: [makeInstance(app, 'running', { hash: 'old' })],
    expected: ['start app', 'kill app Changed'],
  },
  {
    name: 'a failed liveness probe restarts',
    containers: [makeInstance(app, 'running')],
    probes: verdicts({ 'app-0': 'failure' }),
    expected: ['start app', 'kill app FailedLivenessProbe'],
  },
  {
    name: 'a failed liveness probe under Never ends the Pod',
    pod: { spec: { restartPolicy: 'Never' } },
    containers: [makeInstance(app, 'running')],
    probes: verdicts({ 'app-0': 'failure' }),
    expected: ['kill-pod'],
  },
  {
    name: 'a failed startup probe restarts',
    containers: [makeInstance(app, 'running')],
    probes: verdicts({}, { 'app-0': 'failure' }),
    expected: ['start app', 'kill app FailedStartupProbe'],
  },
  {
    name: 'the first init container runs',
    pod: { spec: init },
    containers: [makeInstance(first, 'running')],
    expected: [],
  },
  {
    name: 'the next init container follows',
    pod: { spec: init },
    containers: [makeInstance(first, 'exited')],
    expected: ['init second'],
  },
  {
    name: 'then the main containers',
    pod: { spec: init },
    containers: [makeInstance(second, 'exited'), makeInstance(first, 'exited')],
    expected: ['start app'],
  },
  {
    name: 'removed records of init containers do not matter',
    pod: { spec: init },
    containers: [makeInstance(app, 'running')],
    expected: [],
  },
  {
    name: 'a failed init container runs again',
    pod: { spec: init },
    containers: [makeInstance(first, 'exited', { exitCode: 1 })],
    expected: ['init first'],
  },
  {
    name: 'a failed init container ends a Never Pod',
    pod: { spec: { ...init, restartPolicy: 'Never' } },
    containers: [makeInstance(first, 'exited', { exitCode: 1 })],
    expected: ['kill-pod'],
  },
  {
    name: 'an init container left half made',
    pod: { spec: init },
    containers: [makeInstance(first, 'created')],
    expected: ['init first'],
  },
  {
    name: 'after a started sidecar the next init container',
    pod: { spec: sidecarSpec },
    containers: [makeInstance(side, 'running')],
    expected: ['init first'],
  },
  {
    name: 'a sidecar with a startup probe is waited for',
    pod: { spec: { ...sidecarSpec, initContainers: [{ ...side, startupProbe: {} }, first] } },
    containers: [makeInstance(side, 'running')],
    expected: [],
  },
  {
    name: 'a sidecar that ended is started again',
    pod: { spec: sidecarSpec },
    containers: [makeInstance(side, 'exited'), makeInstance(app, 'running')],
    expected: ['init side'],
  },
  {
    name: 'a sidecar that ended during initialization',
    pod: { spec: sidecarSpec },
    containers: [makeInstance(first, 'running'), makeInstance(side, 'exited')],
    expected: ['init side'],
  },
  {
    name: 'sidecars end with the main containers',
    pod: { spec: { ...sidecarSpec, restartPolicy: 'Never' } },
    containers: [makeInstance(app, 'exited'), makeInstance(first, 'exited'), makeInstance(side, 'running')],
    expected: ['kill-pod'],
  },
  {
    name: 'an ephemeral container starts once',
    pod: { spec: { ephemeralContainers: [makeContainer('debug')] } },
    containers: [makeInstance(app, 'running')],
    expected: ['ephemeral debug'],
  },
  {
    name: 'and never again',
    pod: { spec: { ephemeralContainers: [makeContainer('debug')] } },
    containers: [makeInstance(app, 'running'), makeInstance(makeContainer('debug'), 'exited')],
    expected: [],
  },
  {
    name: 'a rule restarts what the policy would not',
    pod: {
      spec: {
        restartPolicy: 'Never',
        containers: [
          { ...app, restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] },
        ],
      },
    },
    containers: [exited(42)],
    expected: ['start app'],
  },
];

for (const { name, pod = {}, containers, sandboxes, probes = none, expected } of cases) {
  test(name, () => {
    const actions = computePodActions(makePod(pod), makeRuntime(containers, sandboxes), probes);
    const seen = [
      ...(actions.killPod ? ['kill-pod'] : []),
      ...(actions.createSandbox ? [`sandbox ${actions.attempt}`] : []),
      ...actions.initContainersToStart.map((container) => `init ${container.name}`),
      ...actions.ephemeralContainersToStart.map((container) => `ephemeral ${container.name}`),
      ...actions.containersToStart.map((container) => `start ${container.name}`),
      ...actions.containersToKill.map((kill) => `kill ${kill.name} ${kill.reason}`),
    ];
    assert.deepEqual(seen, expected);
  });
}
