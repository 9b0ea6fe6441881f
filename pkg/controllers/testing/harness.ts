/** What controller tests share: a world in memory with a clock that moves when told, and sample objects. */
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../api/generated/apps-v1.ts';
import type { Job } from '../../api/generated/batch-v1.ts';
import type { Node, Pod } from '../../api/generated/core-v1.ts';
import { nodes, pods } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { FakeClock } from '../../base/clock.ts';
import type { Component } from '../../base/component.ts';
import { silentLogger } from '../../base/log.ts';
import { MemoryClient } from '../../client/testing/memory-client.ts';
import type { ControllerContext } from '../controller.ts';

export interface World extends ControllerContext {
  readonly client: MemoryClient;
  readonly clock: FakeClock;
  /** `reason: message` of every event told. */
  readonly events: string[];
  /** Lets everything that is due now run. */
  settle(): Promise<void>;
  /** Starts `component`; it stops with the world. */
  run(component: Component): Promise<void>;
  stop(): Promise<void>;
}

export function createWorld(): World {
  const clock = new FakeClock();
  const events: string[] = [];
  const running: Component[] = [];
  const abort = new AbortController();
  return {
    clock,
    client: new MemoryClient(clock),
    log: silentLogger,
    events,
    recorder: { event: (_about, _type, reason, message) => events.push(`${reason}: ${message}`) },
    async settle() {
      // Back-off starts at 5 ms: what conflicts once is tried again well within this.
      for (let round = 0; round < 100; round++) await clock.advance(5);
    },
    async run(component) {
      running.push(component);
      await component.start(abort.signal);
      await component.ready();
    },
    async stop() {
      abort.abort();
      await Promise.all(running.map((component) => component.stop()));
    },
  };
}

const podSpec = { containers: [{ name: 'c', image: 'app:1' }] };

export function deployment(replicas: number, spec: Partial<Input<Deployment['spec']>> = {}): Input<Deployment> {
  return {
    metadata: { name: 'd', namespace: 'n' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'a' } },
      template: { metadata: { labels: { app: 'a' } }, spec: podSpec },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...spec,
    },
  };
}

export function replicaSet(name: string, replicas: number): Input<ReplicaSet> {
  return {
    metadata: { name, namespace: 'n' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'a' } },
      template: { metadata: { labels: { app: 'a' } }, spec: podSpec },
    },
    status: { replicas: 0 },
  };
}

/** A DaemonSet as the API server would store it. */
export function daemonSet(spec: Partial<Input<DaemonSet['spec']>> = {}): Input<DaemonSet> {
  return {
    metadata: { name: 'ds', namespace: 'n' },
    spec: {
      selector: { matchLabels: { app: 'a' } },
      template: { metadata: { labels: { app: 'a' } }, spec: podSpec },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      revisionHistoryLimit: 10,
      ...spec,
    },
  };
}

/** A StatefulSet as the API server would store it. */
export function statefulSet(replicas: number, spec: Partial<Input<StatefulSet['spec']>> = {}): Input<StatefulSet> {
  return {
    metadata: { name: 'db', namespace: 'n' },
    spec: {
      replicas,
      serviceName: 'db',
      selector: { matchLabels: { app: 'a' } },
      template: { metadata: { labels: { app: 'a' } }, spec: podSpec },
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      revisionHistoryLimit: 10,
      ...spec,
    },
  };
}

/** A Job as the API server would store it. */
export function job(spec: Partial<Input<Job['spec']>> = {}): Input<Job> {
  const labels = { 'job-name': 'j' };
  return {
    metadata: { name: 'j', namespace: 'n' },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      podReplacementPolicy: 'TerminatingOrFailed',
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...podSpec, restartPolicy: 'Never' } },
      ...spec,
    },
  };
}

/** Plays the kubelet: the Pods that `which` selects end with `exitCode`. */
export async function endPods(
  world: World,
  exitCode: number,
  which: (pod: Pod) => boolean = () => true,
): Promise<void> {
  for (const pod of world.client.objects(pods)) {
    if (!which(pod) || pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') continue;
    const finishedAt = formatTime(world.clock.now());
    const state = { terminated: { exitCode, startedAt: null, finishedAt } };
    const status = {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [{ name: 'c', state, restartCount: 0, ready: false, image: '', imageID: '' }],
    };
    await world.client.update(pods, { ...pod, status } as Input<Pod>, { subresource: 'status' });
  }
  await world.settle();
}

/** Plays the kubelet: every Pod of the namespace runs and is ready. */
export async function makeReady(world: World, which: (pod: Pod) => boolean = () => true): Promise<void> {
  for (const pod of world.client.objects(pods)) {
    if (!which(pod) || pod.metadata.deletionTimestamp !== undefined) continue;
    const lastTransitionTime = formatTime(world.clock.now());
    const conditions = [{ type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime }];
    await world.client.update(pods, { ...pod, status: { phase: 'Running', conditions } }, { subresource: 'status' });
  }
  await world.settle();
}

export function addNode(world: World, name: string, more: Input<Partial<Node>> = {}): Promise<Node> {
  return world.client.create(nodes, { metadata: { name }, spec: {}, ...more } as Input<Node>);
}
