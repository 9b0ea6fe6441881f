import { podDisruptionBudgets } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const podDisruptionBudget = describe(podDisruptionBudgets, {
  shortNames: ['pdb'],
  allowUnconditionalUpdate: false,
});
