import { horizontalPodAutoscalersV1 } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

export const horizontalPodAutoscalerV1 = describe(horizontalPodAutoscalersV1, {
  shortNames: ['hpa'],
  categories: ['all'],
  generation: false,
});
