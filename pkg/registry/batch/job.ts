import { jobs } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const job = describe(jobs, {
  categories: ['all'],
});
