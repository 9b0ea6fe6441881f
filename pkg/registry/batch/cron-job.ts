import type { CronJob } from '../../api/generated/batch-v1.ts';
import { cronJobs } from '../../api/resources.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { describe } from '../descriptor.ts';

export const cronJob = describe<CronJob>(cronJobs, {
  shortNames: ['cj'],
  categories: ['all'],
  defaults({ spec }) {
    spec.concurrencyPolicy ||= 'Allow';
    spec.suspend ??= false;
    spec.successfulJobsHistoryLimit ??= 3;
    spec.failedJobsHistoryLimit ??= 1;
    const template = spec.jobTemplate?.spec?.template?.spec;
    if (template !== undefined) defaultPodSpec(template);
  },
});
