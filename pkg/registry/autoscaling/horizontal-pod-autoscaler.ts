import { horizontalPodAutoscalers } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';

/** Percent of the request; autoscaling/v2 SetDefaults_HorizontalPodAutoscaler. */
const DEFAULT_CPU_UTILIZATION = 80;

export const horizontalPodAutoscaler = describe(horizontalPodAutoscalers, {
  shortNames: ['hpa'],
  categories: ['all'],
  generation: false,
  defaults({ spec }) {
    spec.minReplicas ??= 1;
    if ((spec.metrics ?? []).length > 0) return;
    const target = { type: 'Utilization', averageUtilization: DEFAULT_CPU_UTILIZATION };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  },
});
