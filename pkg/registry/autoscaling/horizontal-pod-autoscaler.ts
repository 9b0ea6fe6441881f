import type { HorizontalPodAutoscaler, HPAScalingRules } from '../../api/generated/autoscaling-v2.ts';
import { horizontalPodAutoscalers } from '../../api/resources.ts';
import { describe } from '../descriptor.ts';
import { autoscalerColumns } from './columns.ts';
import { validateAutoscaler, validateAutoscalerStatus } from './validation.ts';

/** Percent of the request; autoscaling/v2 SetDefaults_HorizontalPodAutoscaler. */
const DEFAULT_CPU_UTILIZATION = 80;

export const horizontalPodAutoscaler = describe<HorizontalPodAutoscaler>(horizontalPodAutoscalers, {
  shortNames: ['hpa'],
  categories: ['all'],
  generation: false,
  defaults({ spec }) {
    spec.minReplicas ??= 1;
    if (spec.behavior !== undefined) {
      const up = spec.behavior.scaleUp;
      const down = spec.behavior.scaleDown;
      spec.behavior.scaleUp = { ...up, ...withDefaults(up, 0, SCALE_UP) };
      spec.behavior.scaleDown = { ...down, ...withDefaults(down, undefined, SCALE_DOWN) };
    }
    if ((spec.metrics ?? []).length > 0) return;
    const target = { type: 'Utilization', averageUtilization: DEFAULT_CPU_UTILIZATION };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  },
  validate: validateAutoscaler,
  validateStatus: validateAutoscalerStatus,
  columns: autoscalerColumns((object) => object),
});

/** At most four Pods or twice as many in 15 seconds; down to the minimum at once. */
const SCALE_UP: HPAScalingRules['policies'] = [
  { type: 'Pods', value: 4, periodSeconds: 15 },
  { type: 'Percent', value: 100, periodSeconds: 15 },
];
const SCALE_DOWN: HPAScalingRules['policies'] = [{ type: 'Percent', value: 100, periodSeconds: 15 }];

function withDefaults(
  rules: HPAScalingRules | undefined,
  window: number | undefined,
  policies: HPAScalingRules['policies'],
): HPAScalingRules {
  const seconds = rules?.stabilizationWindowSeconds ?? window;
  return {
    ...(seconds === undefined ? {} : { stabilizationWindowSeconds: seconds }),
    selectPolicy: rules?.selectPolicy ?? 'Max',
    policies: rules?.policies ?? policies,
  };
}
