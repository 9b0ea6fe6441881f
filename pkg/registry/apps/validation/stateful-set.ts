import type { StatefulSet, StatefulSetSpec } from '../../../api/generated/apps-v1.ts';
import type { Volume } from '../../../api/generated/core-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validatePodTemplate } from '../../core/validation/pod-template.ts';
import { dnsLabel, type Findings, nonNegative } from '../../validation/rules.ts';
import {
  atMostAll,
  collisionsCounted,
  goIntOrString,
  intOrPercent,
  isSelectorValid,
  keepsRunning,
  percentOf,
  templateMatches,
  validateSelector,
} from './workload.ts';

const SPEC = FieldPath.of('spec');
const STATUS = FieldPath.of('status');
const RETENTION = ['Retain', 'Delete'];

/** Upstream's ValidateStatefulSet, of new ones. */
export function* validateNewStatefulSet({ spec }: StatefulSet): Findings {
  yield* validateSpec(spec, true);
}

function* validateSpec(spec: StatefulSetSpec, isNew: boolean): Findings {
  yield* validatePolicies(spec);
  yield* nonNegative(SPEC.child('replicas'), spec.replicas);
  yield* nonNegative(SPEC.child('minReadySeconds'), spec.minReadySeconds);
  yield* nonNegative(SPEC.child('ordinals', 'start'), spec.ordinals?.start);
  // Once nobody looked at it: what is stored stays.
  if (isNew && spec.serviceName) yield* dnsLabel(SPEC.child('serviceName'), spec.serviceName);
  const selector = SPEC.child('selector');
  yield* validateSelector(spec.selector, 'statefulset', selector);
  if (!isSelectorValid(spec.selector, selector)) {
    yield fieldError.invalid(selector, spec.selector as Json, '');
  } else {
    yield* templateMatches(spec.selector, spec.template, SPEC.child('template'));
    yield* validatePodTemplate(withClaimVolumes(spec), SPEC.child('template'));
  }
  yield* keepsRunning(spec.template, 'StatefulSet', SPEC.child('template'));
}

/** The template as its Pods will be: the claim templates become volumes of their names. */
function withClaimVolumes({ template, volumeClaimTemplates }: StatefulSetSpec): StatefulSetSpec['template'] {
  const claims: Volume[] = (volumeClaimTemplates ?? []).map(({ metadata }) => {
    const name = metadata.name ?? '';
    return { name, persistentVolumeClaim: { claimName: name } };
  });
  if (claims.length === 0 || template.spec === undefined) return template;
  const named = new Set(claims.map(({ name }) => name));
  const own = (template.spec.volumes ?? []).filter(({ name }) => !named.has(name));
  return { ...template, spec: { ...template.spec, volumes: [...own, ...claims] } };
}

function* validatePolicies(spec: StatefulSetSpec): Findings {
  const { podManagementPolicy, updateStrategy, persistentVolumeClaimRetentionPolicy } = spec;
  const management = SPEC.child('podManagementPolicy');
  if (!podManagementPolicy) yield fieldError.required(management);
  else if (podManagementPolicy !== 'OrderedReady' && podManagementPolicy !== 'Parallel') {
    yield fieldError.invalid(management, podManagementPolicy, "must be 'OrderedReady' or 'Parallel'");
  }
  const path = SPEC.child('updateStrategy');
  const { type, rollingUpdate } = updateStrategy;
  if (!type) yield fieldError.required(path);
  else if (type === 'OnDelete') {
    const text = "only allowed for updateStrategy 'RollingUpdate'";
    if (rollingUpdate !== undefined) yield fieldError.invalid(path.child('rollingUpdate'), rollingUpdate as Json, text);
  } else if (type === 'RollingUpdate') {
    const rolling = path.child('rollingUpdate');
    yield* nonNegative(rolling.child('partition'), rollingUpdate?.partition);
    const most = rollingUpdate?.maxUnavailable;
    if (most !== undefined) {
      const at = rolling.child('maxUnavailable');
      yield* intOrPercent(most, at);
      if (percentOf(most) === 0) yield fieldError.invalid(at, goIntOrString(most), 'cannot be 0');
      yield* atMostAll(most, at);
    }
  } else {
    yield fieldError.invalid(path, updateStrategy as Json, "must be 'RollingUpdate' or 'OnDelete'");
  }
  for (const field of ['whenDeleted', 'whenScaled'] as const) {
    const policy = persistentVolumeClaimRetentionPolicy?.[field];
    const at = SPEC.child('persistentVolumeClaimRetentionPolicy', field);
    if (policy !== undefined && !RETENTION.includes(policy)) yield fieldError.notSupported(at, policy, RETENTION);
  }
}

const FIXED_TEXT =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

/** Upstream's ValidateStatefulSetUpdate. */
export function* validateStatefulSetUpdate({ spec }: StatefulSet, old: StatefulSet): Findings {
  yield* validateSpec(spec, false);
  const fixed = (from: StatefulSetSpec): object => ({
    selector: from.selector,
    serviceName: from.serviceName,
    podManagementPolicy: from.podManagementPolicy,
    volumeClaimTemplates: from.volumeClaimTemplates,
  });
  if (!semanticEqual(fixed(spec), fixed(old.spec))) yield fieldError.forbidden(SPEC, FIXED_TEXT);
}

/** Upstream's ValidateStatefulSetStatus. */
export function* validateStatefulSetStatus({ status }: StatefulSet, old: StatefulSet): Findings {
  const text = 'cannot be greater than status.replicas';
  const counts = ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const;
  for (const field of ['replicas', ...counts, 'observedGeneration', 'collisionCount'] as const) {
    yield* nonNegative(STATUS.child(field), status[field]);
  }
  for (const field of counts) {
    const count = status[field] ?? 0;
    if (count > (status.replicas ?? 0)) yield fieldError.invalid(STATUS.child(field), count, text);
  }
  const available = status.availableReplicas ?? 0;
  if (available > (status.readyReplicas ?? 0)) {
    yield fieldError.invalid(
      STATUS.child('availableReplicas'),
      available,
      'cannot be greater than status.readyReplicas',
    );
  }
  yield* collisionsCounted(status, old.status);
}
