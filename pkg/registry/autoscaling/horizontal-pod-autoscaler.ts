import { horizontalPodAutoscalers } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const horizontalPodAutoscaler = describe(horizontalPodAutoscalers, {
  shortNames: ['hpa'],
  categories: ['all'],
  generation: false,
});
