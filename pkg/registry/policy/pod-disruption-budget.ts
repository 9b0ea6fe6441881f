import type { PodDisruptionBudget } from '../../api/generated/policy-v1.ts';
import { podDisruptionBudgets } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import type { IntOrString } from '../../apimachinery/int-or-string.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { atMostAll, intOrPercent } from '../apps/validation/workload.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateConditions } from '../validation/conditions.ts';
import { type Findings, nonNegative } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const STATUS = FieldPath.of('status');
const EVICTION_POLICIES = ['AlwaysAllow', 'IfHealthyBudget'];

/** Upstream's ValidatePodDisruptionBudgetSpec. */
function* validate({ spec }: PodDisruptionBudget): Findings {
  const { minAvailable, maxUnavailable, unhealthyPodEvictionPolicy: policy } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    yield fieldError.invalid(SPEC, spec as never, 'minAvailable and maxUnavailable cannot be both set');
  }
  for (const [field, value] of Object.entries({ minAvailable, maxUnavailable })) {
    yield* intOrPercent(value, SPEC.child(field));
    yield* atMostAll(value, SPEC.child(field));
  }
  yield* validateLabelSelector(spec.selector, SPEC.child('selector'));
  if (policy !== undefined && !EVICTION_POLICIES.includes(policy)) {
    yield fieldError.notSupported(SPEC.child('unhealthyPodEvictionPolicy'), policy, EVICTION_POLICIES);
  }
}

/** Upstream's ValidatePodDisruptionBudgetStatusUpdate. */
function* validateStatus({ status }: PodDisruptionBudget): Findings {
  yield* validateConditions(status.conditions, STATUS.child('conditions'));
  for (const field of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const) {
    yield* nonNegative(STATUS.child(field), status[field]);
  }
}

const orNone = (value: IntOrString | undefined): string => (value === undefined ? 'N/A' : String(value));

export const podDisruptionBudget = describe<PodDisruptionBudget>(podDisruptionBudgets, {
  shortNames: ['pdb'],
  allowUnconditionalUpdate: false,
  validateName: nameIsPathSegment,
  validate,
  updateSteps: ['content'],
  validateStatus,
  columns: [
    nameColumn,
    {
      name: 'Min Available',
      type: 'string',
      description: 'The minimum number of pods that must be available.',
      cell: ({ spec }) => orNone(spec.minAvailable),
    },
    {
      name: 'Max Unavailable',
      type: 'string',
      description: 'The maximum number of pods that may be unavailable.',
      cell: ({ spec }) => orNone(spec.maxUnavailable),
    },
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      description: 'Calculated number of pods that may be disrupted at this time.',
      cell: ({ status }) => status.disruptionsAllowed ?? 0,
    },
    ageColumn,
  ],
});
