/** Upstream's cronjob-controller: starts Jobs at their times. */
import type { CronJob, CronJobStatus, Job } from '../../api/generated/batch-v1.ts';
import { cronJobs, jobs } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { isControlledBy, splitKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { type ControllerContext, controllerKey, createController, watch, watchOwn } from '../controller.ts';
import { isJobFinished } from '../job/job-facts.ts';
import { jobOf } from './job-of.ts';
import { planCronJob } from './plan.ts';

const WORKERS = 5;

export function createCronJobController(context: ControllerContext): Component {
  const { client, clock, recorder } = context;
  const cronJobInformer = client.informer(cronJobs);
  const jobInformer = client.informer(jobs);

  async function remove(cronJob: CronJob, job: Job): Promise<void> {
    const about = referenceTo(cronJobs, cronJob);
    const { name, namespace = '' } = job.metadata;
    try {
      await client.delete(jobs, name, { namespace, propagationPolicy: 'Background' });
    } catch (error) {
      if (isStatusReason(error, 'NotFound')) return;
      recorder.event(about, 'Warning', 'FailedDelete', `Deleted job: ${errorText(error)}`);
      throw error;
    }
    recorder.event(about, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  }

  /** Starts the Job for `time`; undefined when it is not this CronJob's to count. */
  async function start(cronJob: CronJob, time: number): Promise<Job | undefined> {
    const about = referenceTo(cronJobs, cronJob);
    const wanted = jobOf(cronJob, time);
    try {
      const job = await client.create(jobs, wanted);
      recorder.event(about, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`);
      return job;
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      if (!isStatusReason(error, 'AlreadyExists')) {
        recorder.event(about, 'Warning', 'FailedCreate', `Error creating job: ${errorText(error)}`);
        throw error;
      }
    }
    // Created before, and not noted: the controller ended in between.
    const job = await client.get(jobs, wanted.metadata?.name ?? '', cronJob.metadata.namespace);
    if (!isControlledBy(job, cronJob)) {
      throw new Error(
        `job ${job.metadata.name} exists already and is not controlled by cron job ${cronJob.metadata.name}`,
      );
    }
    return job;
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const cronJob = cronJobInformer.get(name, namespace);
    if (cronJob === undefined) return undefined;
    const owned = jobInformer.list(namespace).filter((job) => isControlledBy(job, cronJob));
    const plan = planCronJob(cronJob, owned, clock.now());
    for (const { type, reason, message } of plan.events) {
      recorder.event(referenceTo(cronJobs, cronJob), type, reason, message);
    }
    await Promise.all([...plan.forget, ...plan.replace].map((job) => remove(cronJob, job)));
    const replaced = new Set(plan.replace.map(({ metadata }) => metadata.uid));
    const active = (plan.status.active ?? []).filter(({ uid }) => !replaced.has(uid ?? ''));
    let status: CronJobStatus = { ...plan.status };
    if (plan.start !== undefined) {
      const job = await start(cronJob, plan.start);
      if (job !== undefined && !isJobFinished(job)) active.push({ ...referenceTo(jobs, job) });
      status.lastScheduleTime = formatTime(plan.start);
    }
    const { active: _, ...others } = status;
    status = { ...others, ...(active.length > 0 && { active }) };
    if (!deepEqual(status, cronJob.status)) {
      await client.update(cronJobs, { ...cronJob, status }, { subresource: 'status' });
    }
    return plan.again;
  }

  return createController(
    {
      name: 'cronjob-controller',
      workers: WORKERS,
      watches: [
        watchOwn(cronJobInformer),
        watch(jobInformer, ({ object }, queue) => {
          const key = controllerKey(object, cronJobs);
          if (key !== undefined) queue.add(key);
        }),
      ],
      reconcile,
    },
    context,
  );
}
