import { cronJobs } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const cronJob = describe(cronJobs, {
  shortNames: ['cj'],
  categories: ['all'],
});
