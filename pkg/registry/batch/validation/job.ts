import type { Job, JobSpec } from '../../../api/generated/batch-v1.ts';
import type { PodTemplateSpec } from '../../../api/generated/core-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { type FieldError, fieldError, goStringMap } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { labelMatcher, validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isDns1123Label } from '../../../apimachinery/names.ts';
import { validatePodTemplate } from '../../core/validation/pod-template.ts';
import { domainPrefixedPath, type Findings, nonNegative, unchanged } from '../../validation/rules.ts';
import { validateFailurePolicy, validateSuccessPolicy } from './job-policies.ts';

const SPEC = FieldPath.of('spec');
const COMPLETION_MODES = ['NonIndexed', 'Indexed'];
const MAX_MANAGED_BY = 63;
/** Of Pods at a time and of indexes that fail; with more completions and a limit for each index fewer are allowed. */
const MAX_INDEXES = 100_000;
const MAX_OF_MANY = 10_000;
const COUNTS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

/** Upstream's ValidateJob. */
export function* validateJob(job: Job): Findings {
  yield* validateGeneratedSelector(job);
  yield* validateSpecAndSelector(job);
  const { completionMode, completions } = job.spec;
  if (completionMode !== 'Indexed' || completions === undefined || completions <= 0) return;
  const last = `${job.metadata.name}-${completions - 1}`;
  if (isDns1123Label(last).length === 0) return;
  yield fieldError.invalid(
    'metadata.name',
    job.metadata.name,
    `will not able to create pod with invalid DNS label: ${last}`,
  );
}

/** Upstream's ValidateJobSpec. */
function* validateSpecAndSelector({ spec }: Job): Findings {
  yield* validateJobSpec(spec, SPEC);
  const selector = SPEC.child('selector');
  const wrong = validateLabelSelector(spec.selector, selector);
  if (spec.selector === undefined) yield fieldError.required(selector);
  else yield* wrong;
  const labels = spec.template.metadata?.labels;
  // Without a selector nothing is looked for, so nothing matches.
  const matches = spec.selector !== undefined && wrong.length === 0 && labelMatcher(spec.selector).matches(labels);
  if (wrong.length === 0 && !matches) {
    const at = SPEC.child('template', 'metadata', 'labels');
    yield fieldError.invalid(at, goStringMap(labels), '`selector` does not match template `labels`');
  }
}

/** The labels that tell a Job's Pods apart are the server's own. */
function* validateGeneratedSelector({ metadata, spec }: Job): Findings {
  if (spec.manualSelector === true || spec.selector === undefined) return;
  const labels = spec.template.metadata?.labels ?? {};
  const expected = {
    'controller-uid': metadata.uid,
    'job-name': metadata.name,
    'batch.kubernetes.io/controller-uid': metadata.uid,
    'batch.kubernetes.io/job-name': metadata.name,
  };
  for (const [key, value] of Object.entries(expected)) {
    const at = SPEC.child('template', 'metadata', 'labels').key(key);
    if (labels[key] === undefined) yield fieldError.required(at, `must be '${value}'`);
    else if (labels[key] !== value) yield fieldError.invalid(at, goStringMap(labels), `must be '${value}'`);
  }
  const selector = SPEC.child('selector');
  const isValid = validateLabelSelector(spec.selector, selector).length === 0;
  if (isValid && !labelMatcher(spec.selector).matches(expected)) {
    yield fieldError.invalid(selector, spec.selector as Json, '`selector` not auto-generated');
  }
}

/** Upstream's validateJobSpec, of Jobs and of the templates of CronJobs. */
export function* validateJobSpec(spec: JobSpec, path: FieldPath): Findings {
  for (const field of COUNTS) yield* nonNegative(path.child(field), spec[field]);
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    yield fieldError.required(path.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified');
  }
  if (spec.managedBy !== undefined) {
    yield* domainPrefixedPath(path.child('managedBy'), spec.managedBy);
    if (Buffer.byteLength(spec.managedBy) > MAX_MANAGED_BY) {
      yield fieldError.tooLong(path.child('managedBy'), MAX_MANAGED_BY);
    }
  }
  yield* validateCompletionMode(spec, path);
  if (spec.podFailurePolicy !== undefined) {
    yield* validateFailurePolicy(spec, spec.podFailurePolicy, path.child('podFailurePolicy'));
  }
  if (spec.successPolicy !== undefined) {
    if (spec.completionMode !== 'Indexed') {
      yield fieldError.invalid(
        path.child('successPolicy'),
        spec.successPolicy as never,
        'requires indexed completion mode',
      );
    } else yield* validateSuccessPolicy(spec, spec.successPolicy, path.child('successPolicy'));
  }
  yield* validateReplacementPolicy(spec, path.child('podReplacementPolicy'));
  yield* validatePodTemplate(spec.template, path.child('template'));
  const restart = spec.template.spec?.restartPolicy;
  const at = path.child('template', 'spec', 'restartPolicy');
  if (!restart || restart === 'Always') yield fieldError.required(at, 'valid values: "OnFailure", "Never"');
  else if (restart !== 'OnFailure' && restart !== 'Never') {
    yield fieldError.notSupported(at, restart, ['OnFailure', 'Never']);
  } else if (spec.podFailurePolicy !== undefined && restart !== 'Never') {
    yield fieldError.invalid(at, restart, 'only "Never" is supported when podFailurePolicy is specified');
  }
}

function* validateCompletionMode(spec: JobSpec, path: FieldPath): Findings {
  const { completionMode, backoffLimitPerIndex, maxFailedIndexes } = spec;
  if (completionMode !== undefined && !COMPLETION_MODES.includes(completionMode)) {
    yield fieldError.notSupported(path.child('completionMode'), completionMode, COMPLETION_MODES);
  }
  if (completionMode === 'Indexed') return yield* validateIndexed(spec, path);
  if (completionMode !== 'NonIndexed' && completionMode !== undefined) return;
  const text = 'requires indexed completion mode';
  if (backoffLimitPerIndex !== undefined) {
    yield fieldError.invalid(path.child('backoffLimitPerIndex'), backoffLimitPerIndex, text);
  }
  if (maxFailedIndexes !== undefined) yield fieldError.invalid(path.child('maxFailedIndexes'), maxFailedIndexes, text);
}

function* validateIndexed(spec: JobSpec, path: FieldPath): Findings {
  const { completions, parallelism = 0, backoffLimitPerIndex, maxFailedIndexes } = spec;
  const most = (field: 'parallelism' | 'maxFailedIndexes', limit: number | string, when = ''): FieldError =>
    fieldError.invalid(path.child(field), spec[field], `must be less than or equal to ${limit}${when}`);
  if (completions === undefined) {
    yield fieldError.required(path.child('completions'), 'when completion mode is Indexed');
  }
  if (parallelism > MAX_INDEXES) yield most('parallelism', MAX_INDEXES, ' when completion mode is Indexed');
  if (maxFailedIndexes !== undefined) {
    if (completions !== undefined && maxFailedIndexes > completions) yield most('maxFailedIndexes', 'completions');
    if (maxFailedIndexes > MAX_INDEXES) yield most('maxFailedIndexes', MAX_INDEXES);
  }
  if (completions === undefined || completions <= MAX_INDEXES || backoffLimitPerIndex === undefined) return;
  const when = ` when completions are above ${MAX_INDEXES} and used with backoff limit per index`;
  if (maxFailedIndexes === undefined) {
    const text = `must be specified when completions is above ${MAX_INDEXES}`;
    yield fieldError.required(path.child('maxFailedIndexes'), text);
  }
  if (parallelism > MAX_OF_MANY) yield most('parallelism', MAX_OF_MANY, when);
  if ((maxFailedIndexes ?? 0) > MAX_OF_MANY) yield most('maxFailedIndexes', MAX_OF_MANY, when);
}

function* validateReplacementPolicy({ podReplacementPolicy, podFailurePolicy }: JobSpec, path: FieldPath): Findings {
  if (podReplacementPolicy === undefined) return;
  const supported = podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
  if (!supported.includes(podReplacementPolicy)) {
    yield fieldError.notSupported(path, podReplacementPolicy, supported);
  }
}

/** Upstream's ValidateJobUpdate: what counts as done, and by which Pods, is fixed. */
export function* validateJobUpdate(job: Job, old: Job): Findings {
  const { spec } = job;
  // Upstream judges the spec once more here; clients see each finding twice.
  yield* validateSpecAndSelector(job);
  yield* validateCompletions(spec, old.spec);
  yield* unchanged(SPEC.child('selector'), spec.selector, old.spec.selector);
  const waits = old.spec.suspend === true && !old.status?.startTime;
  const template = waits ? withPlacement(old.spec.template, spec.template) : old.spec.template;
  yield* unchanged(SPEC.child('template'), spec.template, template);
  for (const field of [
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const) {
    yield* unchanged(SPEC.child(field), spec[field], old.spec[field]);
  }
}

/** Only the number of indexes may change, together with the number of Pods at a time. */
function* validateCompletions({ completionMode, completions, parallelism }: JobSpec, old: JobSpec): Findings {
  const path = SPEC.child('completions');
  if (completionMode !== 'Indexed') return yield* unchanged(path, completions, old.completions);
  if (completions === undefined || completions === old.completions || completions === parallelism) return;
  yield fieldError.invalid(path, completions, 'can only be modified in tandem with spec.parallelism');
}

/** The template `old` with what of `wanted` may change while a Job waits: where its Pods are to run. */
function withPlacement(old: PodTemplateSpec, wanted: PodTemplateSpec): PodTemplateSpec {
  const { affinity, nodeSelector, tolerations, schedulingGates } = wanted.spec ?? { containers: [] };
  const { nodeAffinity: _, ...others } = old.spec?.affinity ?? {};
  const isBare = affinity === undefined && Object.keys(others).length === 0;
  const kept = isBare ? undefined : { ...others, nodeAffinity: affinity?.nodeAffinity };
  const { annotations, labels } = wanted.metadata ?? {};
  return {
    metadata: { ...old.metadata, annotations, labels },
    spec: { ...(old.spec ?? { containers: [] }), affinity: kept, nodeSelector, tolerations, schedulingGates },
  } as PodTemplateSpec;
}
