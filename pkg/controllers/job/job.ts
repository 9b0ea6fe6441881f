/** Upstream's job-controller: carries out what planJob finds and keeps the books of ended Pods. */
import type { Job, JobStatus } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { jobs, pods } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { labelMatcher } from '../../apimachinery/labels.ts';
import { controllerOf, isBeingDeleted, objectKey, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import type { InformerEvent } from '../../client/informer.ts';
import { claim } from '../claim.ts';
import {
  type ControllerContext,
  controllerKey,
  createController,
  type KeyQueue,
  watch,
  watchOwn,
} from '../controller.ts';
import { createPod, deletePod } from '../pod-control.ts';
import { slowStartBatch } from '../slow-start.ts';
import { watchOwned } from '../watch-owned.ts';
import { type Account, accountFor, type Outcome, settle } from './account.ts';
import { type BackoffRecord, NO_FAILURES } from './backoff.ts';
import { isJobFinished, isManagedElsewhere, isTracked, TRACKING_FINALIZER, type Verdict } from './job-facts.ts';
import { podOf } from './job-pod.ts';
import { type JobPlan, planJob } from './plan.ts';

const WORKERS = 5;
/** Changes of many Pods at once are looked at together. */
const BATCH_MS = 200;
/** Marks the key of a Pod that carries the finalizer but has lost its Job; no namespace begins so. */
const ORPHAN = '#';

export function createJobController(context: ControllerContext): Component {
  const { client, clock, recorder } = context;
  const jobInformer = client.informer(jobs);
  const podInformer = client.informer(pods);
  const backoffs = new Map<string, BackoffRecord>();

  /** A Pod that nobody controls keeps no finalizer. */
  function onOrphan({ type, object }: InformerEvent<Pod>, queue: KeyQueue): void {
    if (type === 'deleted' || controllerOf(object) !== undefined || !isTracked(object)) return;
    queue.add(`${ORPHAN}${objectKey(object)}`);
  }

  /** Takes the tracking finalizer off; a Pod that is gone already has none. */
  async function release(pod: Pod): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [TRACKING_FINALIZER] } };
    try {
      await client.patch(pods, name, { type: 'strategic', body }, { namespace });
    } catch (error) {
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
  }

  async function create(job: Job, plan: JobPlan): Promise<{ created: number; error?: unknown }> {
    let next = 0;
    let skipped = 0;
    const { successes, error } = await slowStartBatch(plan.creates.length, async () => {
      const order = plan.creates[next++] ?? {};
      try {
        await createPod(context, jobs, job, podOf(job, order));
      } catch (failure) {
        if (!isNamespaceTerminating(failure)) throw failure;
        skipped++;
      }
    });
    return { created: successes - skipped, error };
  }

  async function remove(job: Job, plan: JobPlan): Promise<{ deleted: Set<Pod>; error?: unknown }> {
    const deleted = new Set<Pod>();
    const results = await Promise.allSettled(
      plan.deletes.map(async (pod) => {
        if (plan.forgetsDeleted && isTracked(pod)) await release(pod);
        try {
          await deletePod(context, jobs, job, pod);
        } catch (error) {
          if (!isStatusReason(error, 'NotFound')) throw error;
        }
        deleted.add(pod);
      }),
    );
    return { deleted, error: results.find((result) => result.status === 'rejected')?.reason };
  }

  async function writeStatus(job: Job, status: JobStatus): Promise<Job> {
    if (deepEqual(status, job.status)) return job;
    return client.update(jobs, { ...job, status }, { subresource: 'status' });
  }

  /** Writes the status, lets the Pods go that it accounts for, and writes what follows from that. */
  async function account(job: Job, owned: readonly Pod[], { status, release: done, verdict }: Account): Promise<void> {
    const noted = await writeStatus(job, status);
    const results = await Promise.allSettled(done.map(release));
    const released = new Set(done.filter((_, index) => results[index]?.status === 'fulfilled'));
    const held = new Set(owned.filter((pod) => isTracked(pod) && !released.has(pod)).map((pod) => pod.metadata.uid));
    const settled = settle(noted.status, held, verdict, clock.now());
    const last = await writeStatus(noted, settled.status);
    if (settled.finished && verdict !== undefined) tellOfEnd(last, verdict);
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  function tellOfEnd(job: Job, verdict: Verdict): void {
    const about = referenceTo(jobs, job);
    if (verdict.type === 'Failed') {
      recorder.event(about, 'Warning', verdict.reason, verdict.message);
      return;
    }
    if ((job.status.succeeded ?? 0) > (job.spec.completions ?? Number.POSITIVE_INFINITY)) {
      const message = 'Too many succeeded pods running after completion count reached';
      recorder.event(about, 'Warning', 'TooManySucceededPods', message);
    }
    recorder.event(about, 'Normal', 'Completed', 'Job completed');
  }

  /** Pods that a Job left behind, one that is gone or has ended: nothing will count them any more. */
  async function releaseStrays(key: string, namespace: string, job: Job | undefined): Promise<void> {
    const isStray = (pod: Pod): boolean =>
      controllerKey(pod, jobs) === key && (job === undefined || controllerOf(pod)?.uid !== job.metadata.uid);
    const finished = job !== undefined && isJobFinished(job);
    const strays = podInformer
      .list(namespace)
      .filter((pod) => isTracked(pod) && (isStray(pod) || (finished && controllerOf(pod)?.uid === job.metadata.uid)));
    await Promise.all(strays.map(release));
  }

  async function releaseOrphan(key: string): Promise<void> {
    const { namespace, name } = splitKey(key.slice(ORPHAN.length));
    const pod = podInformer.get(name, namespace);
    if (pod === undefined || !isTracked(pod) || controllerOf(pod) !== undefined) return;
    // A Job that selects it is about to adopt it.
    const adopts = jobInformer
      .list(namespace)
      .some((job) => !isJobFinished(job) && labelMatcher(job.spec.selector).matches(pod.metadata.labels));
    if (!adopts || isBeingDeleted(pod)) await release(pod);
  }

  async function reconcile(key: string): Promise<number | undefined> {
    if (key.startsWith(ORPHAN)) {
      await releaseOrphan(key);
      return undefined;
    }
    const { namespace, name } = splitKey(key);
    const job = jobInformer.get(name, namespace);
    if (job === undefined || !isManagedElsewhere(job)) await releaseStrays(key, namespace, job);
    if (job === undefined || isJobFinished(job) || isManagedElsewhere(job)) {
      backoffs.delete(key);
      return undefined;
    }
    const owned = await claim(
      client,
      { type: jobs, object: job },
      {
        type: pods,
        candidates: podInformer.list(namespace),
        selector: labelMatcher(job.spec.selector),
        finalizer: TRACKING_FINALIZER,
      },
    );
    const view = { job, pods: owned };
    const now = clock.now();
    const plan = planJob(view, backoffs.get(key) ?? NO_FAILURES, now);
    const removal = await remove(job, plan);
    const creation = await create(job, plan);
    const outcome: Outcome = { created: creation.created, deleted: removal.deleted };
    for (const { reason, message } of plan.events) recorder.event(referenceTo(jobs, job), 'Normal', reason, message);
    await account(job, owned, accountFor(view, plan, outcome, now));
    backoffs.set(key, plan.backoff);
    const failure = removal.error ?? creation.error;
    if (failure !== undefined) throw failure;
    return plan.again;
  }

  return createController(
    {
      name: 'job-controller',
      workers: WORKERS,
      watches: [
        watchOwn(jobInformer),
        watchOwned(podInformer, {
          type: jobs,
          informer: jobInformer,
          selector: ({ spec }) => labelMatcher(spec.selector),
          tell: ({ type }, key, queue) => (type === 'added' ? queue.add(key) : queue.addAfter(key, BATCH_MS)),
        }),
        watch(podInformer, onOrphan),
      ],
      reconcile,
    },
    context,
  );
}
