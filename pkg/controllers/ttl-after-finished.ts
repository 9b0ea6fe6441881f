/** Upstream's ttl-after-finished-controller: Jobs that have ended go after their ttlSecondsAfterFinished. */
import type { Job } from '../api/generated/batch-v1.ts';
import { jobs } from '../api/resources.ts';
import { isBeingDeleted, objectKey, splitKey } from '../apimachinery/object-meta.ts';
import { isStatusReason } from '../apimachinery/status-error.ts';
import { parseTime } from '../apimachinery/time.ts';
import type { Component } from '../base/component.ts';
import { type ControllerContext, createController, watch } from './controller.ts';
import { finishedCondition } from './job/job-facts.ts';

const WORKERS = 5;

export function createTTLAfterFinishedController(context: ControllerContext): Component {
  const { client, clock } = context;
  const jobInformer = client.informer(jobs);
  return createController(
    {
      name: 'ttl-after-finished-controller',
      workers: WORKERS,
      watches: [
        watch(jobInformer, ({ type, object }, queue) => {
          if (type !== 'deleted' && expiry(object) !== undefined) queue.add(objectKey(object));
        }),
      ],
      async reconcile(key) {
        const { namespace, name } = splitKey(key);
        const job = jobInformer.get(name, namespace);
        const at = job === undefined ? undefined : expiry(job);
        if (job === undefined || at === undefined) return undefined;
        const wait = at - clock.now();
        if (wait > 0) return wait;
        const { uid, resourceVersion } = job.metadata;
        const preconditions = { uid, resourceVersion };
        try {
          await client.delete(jobs, name, { namespace, propagationPolicy: 'Foreground', preconditions });
        } catch (error) {
          if (!isStatusReason(error, 'NotFound')) throw error;
        }
        return undefined;
      },
    },
    context,
  );
}

/** When `job` is to be deleted, in milliseconds; undefined while it is not known or not wanted. */
function expiry(job: Job): number | undefined {
  const seconds = job.spec.ttlSecondsAfterFinished;
  const ended = parseTime(finishedCondition(job)?.lastTransitionTime);
  return seconds === undefined || ended === undefined || isBeingDeleted(job) ? undefined : ended + seconds * 1000;
}
