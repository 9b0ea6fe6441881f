import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WaitingReason } from './container-status.ts';
import type { ContainerRuntimeStatus, SandboxRuntimeStatus } from './runtime-status.ts';
import { podStatus } from './status.ts';
import { makeContainer, makeInstance, makePod, makeRuntime, makeSandbox, type PodParts } from './test-fixtures.ts';

const app = makeContainer('app');
const first = makeContainer('first');
const side = makeContainer('side', { restartPolicy: 'Always' });
const crash: WaitingReason = { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' };

interface Options {
  readonly sandboxes?: readonly SandboxRuntimeStatus[];
  readonly waiting?: Record<string, WaitingReason>;
  readonly ready?: boolean;
  readonly over?: boolean;
}

function statusFor(parts: PodParts, containers: readonly ContainerRuntimeStatus[], options: Options = {}) {
  return podStatus({
    pod: makePod(parts),
    runtime: makeRuntime(containers, options.sandboxes),
    waiting: new Map(Object.entries(options.waiting ?? {})),
    isReady: () => options.ready ?? true,
    isStarted: () => true,
    hostIPs: ['192.0.2.1'],
    now: Date.parse('2026-01-01T00:00:10Z'),
    over: options.over ?? false,
  });
}

test('phases', () => {
  const never = { spec: { restartPolicy: 'Never' } };
  const onFailure = { spec: { restartPolicy: 'OnFailure' } };
  const init = { spec: { initContainers: [first] } };
  const sidecar = { spec: { initContainers: [side] } };
  const exited = (exitCode: number) => makeInstance(app, 'exited', { exitCode });
  const cases: readonly (readonly [string, PodParts, readonly ContainerRuntimeStatus[], Options, string])[] = [
    ['nothing yet', {}, [], { sandboxes: [] }, 'Pending'],
    ['running', {}, [makeInstance(app, 'running')], {}, 'Running'],
    ['Always, exited', {}, [exited(0)], {}, 'Running'],
    ['Always, in back-off', {}, [exited(1)], { waiting: { app: crash } }, 'Running'],
    ['OnFailure, failed', onFailure, [exited(1)], {}, 'Running'],
    ['OnFailure, succeeded', onFailure, [exited(0)], {}, 'Succeeded'],
    ['Never, succeeded', never, [exited(0)], {}, 'Succeeded'],
    ['Never, failed', never, [exited(3)], {}, 'Failed'],
    ['image cannot be pulled', never, [], { waiting: { app: { reason: 'ErrImagePull', message: '' } } }, 'Pending'],
    ['init running', init, [makeInstance(first, 'running')], {}, 'Pending'],
    [
      'init failed, Always',
      init,
      [makeInstance(first, 'exited', { exitCode: 1 })],
      { waiting: { first: crash } },
      'Pending',
    ],
    [
      'init failed, Never',
      { spec: { ...init.spec, ...never.spec } },
      [makeInstance(first, 'exited', { exitCode: 1 })],
      {},
      'Failed',
    ],
    ['sidecar and app running', sidecar, [makeInstance(app, 'running'), makeInstance(side, 'running')], {}, 'Running'],
    ['deleted, ended well', {}, [exited(0)], { over: true }, 'Succeeded'],
    ['deleted, killed', {}, [exited(137)], { over: true }, 'Failed'],
    ['final phases stay', { status: { phase: 'Succeeded' } }, [], {}, 'Succeeded'],
  ];
  for (const [name, parts, containers, options, phase] of cases) {
    assert.equal(statusFor(parts, containers, options).phase, phase, name);
  }
});

function conditionsOf(status: ReturnType<typeof statusFor>): Record<string, string> {
  return Object.fromEntries(
    (status.conditions ?? []).map(({ type, status: value, reason = '', message = '' }) => [
      type,
      `${value} ${reason} ${message}`.trim(),
    ]),
  );
}

test('conditions', () => {
  assert.deepEqual(conditionsOf(statusFor({ spec: { initContainers: [first] } }, [makeInstance(first, 'running')])), {
    PodReadyToStartContainers: 'True',
    Initialized: 'False ContainersNotInitialized containers with incomplete status: [first]',
    Ready: 'False ContainersNotReady containers with unready status: [app]',
    ContainersReady: 'False ContainersNotReady containers with unready status: [app]',
    PodScheduled: 'True',
  });
  const done = statusFor({ spec: { restartPolicy: 'Never' } }, [makeInstance(app, 'exited')], {
    sandboxes: [makeSandbox({ ready: false })],
  });
  assert.deepEqual(conditionsOf(done), {
    PodReadyToStartContainers: 'False',
    Initialized: 'True PodCompleted',
    Ready: 'False PodCompleted',
    ContainersReady: 'False PodCompleted',
    PodScheduled: 'True',
  });
  const gated = statusFor({ spec: { readinessGates: [{ conditionType: 'x/y' }] } }, [makeInstance(app, 'running')]);
  assert.match(conditionsOf(gated)['Ready'] ?? '', /^False ReadinessGatesNotReady corresponding condition/);
});

test('an unchanged condition keeps its transition time', () => {
  const old = { type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: '2025-12-31T00:00:00Z' };
  const running = [makeInstance(app, 'running')];
  const at = (ready: boolean): string | null | undefined =>
    statusFor({ status: { conditions: [old] } }, running, { ready }).conditions?.find(({ type }) => type === 'Ready')
      ?.lastTransitionTime;
  assert.equal(at(true), '2025-12-31T00:00:00Z');
  assert.equal(at(false), '2026-01-01T00:00:10Z');
});

test('container states', () => {
  const waiting = statusFor({}, [makeInstance(app, 'exited', { exitCode: 2, restartCount: 3, reason: 'Error' })], {
    waiting: { app: crash },
  });
  const [backedOff] = waiting.containerStatuses ?? [];
  assert.deepEqual(backedOff?.state, { waiting: crash });
  assert.equal(backedOff?.lastState.terminated?.exitCode, 2);
  assert.equal(backedOff?.restartCount, 3);
  assert.equal(backedOff?.containerID, 'containerd://app-3');

  const restarted = statusFor({}, [
    makeInstance(app, 'running', { restartCount: 1 }),
    makeInstance(app, 'exited', { exitCode: 137, reason: 'OOMKilled' }),
  ]);
  const [again] = restarted.containerStatuses ?? [];
  assert.deepEqual(again?.state, { running: { startedAt: '1970-01-01T00:00:01Z' } });
  assert.equal(again?.lastState.terminated?.reason, 'OOMKilled');

  const fresh = statusFor({ spec: { initContainers: [first] } }, []);
  assert.equal(fresh.containerStatuses?.[0]?.state.waiting?.reason, 'PodInitializing');
  assert.equal(statusFor({}, []).containerStatuses?.[0]?.state.waiting?.reason, 'ContainerCreating');
});

test('addresses, quality of service and start time', () => {
  const status = statusFor({}, [makeInstance(app, 'running')]);
  assert.equal(status.podIP, '10.42.0.5');
  assert.equal(status.hostIP, '192.0.2.1');
  assert.equal(status.qosClass, 'BestEffort');
  assert.equal(status.startTime, '2026-01-01T00:00:10Z');
  assert.equal(statusFor({ spec: { hostNetwork: true } }, []).podIP, '192.0.2.1');
  const stopped = statusFor({ status: { podIPs: [{ ip: '10.42.0.9' }] } }, [], { sandboxes: [] });
  assert.equal(stopped.podIP, '10.42.0.9');
});
