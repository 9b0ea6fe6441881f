import type { Job, JobSpec } from '../../../api/generated/batch-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, goStringMap } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { labelMatcher, validateLabelSelector } from '../../../apimachinery/labels.ts';
import { validatePodTemplate } from '../../core/validation/pod-template.ts';
import { domainPrefixedPath, type Findings, nonNegative, unchanged } from '../../validation/rules.ts';
import { validateFailurePolicy, validateSuccessPolicy } from './job-policies.ts';

const SPEC = FieldPath.of('spec');
const COMPLETION_MODES = ['Indexed', 'NonIndexed'];
const MAX_INDEXED_PARALLELISM = 100_000;
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
  yield* validateSelectorAndSpec(job);
}

function* validateSelectorAndSpec({ spec }: Job): Findings {
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
  yield* validateJobSpec(spec, SPEC);
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
  const match = spec.selector.matchLabels ?? {};
  const isGenerated =
    (match['batch.kubernetes.io/controller-uid'] ?? match['controller-uid']) === metadata.uid &&
    Object.keys(match).length === 1 &&
    (spec.selector.matchExpressions ?? []).length === 0;
  if (!isGenerated) {
    yield fieldError.invalid(SPEC.child('selector'), spec.selector as Json, '`selector` not auto-generated');
  }
}

/** Upstream's validateJobSpec, of Jobs and of the templates of CronJobs. */
export function* validateJobSpec(spec: JobSpec, path: FieldPath): Findings {
  for (const field of COUNTS) yield* nonNegative(path.child(field), spec[field]);
  if (spec.managedBy !== undefined) yield* domainPrefixedPath(path.child('managedBy'), spec.managedBy);
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
  const { completionMode, completions, parallelism, backoffLimitPerIndex, maxFailedIndexes } = spec;
  if (completionMode !== undefined && !COMPLETION_MODES.includes(completionMode)) {
    yield fieldError.notSupported(path.child('completionMode'), completionMode, COMPLETION_MODES);
  }
  if (completionMode === 'Indexed') {
    if (completions === undefined)
      yield fieldError.required(path.child('completions'), 'when completion mode is Indexed');
    if ((parallelism ?? 0) > MAX_INDEXED_PARALLELISM) {
      const text = `must be less than or equal to ${MAX_INDEXED_PARALLELISM} when completion mode is Indexed`;
      yield fieldError.invalid(path.child('parallelism'), parallelism, text);
    }
    if (maxFailedIndexes !== undefined && completions !== undefined && maxFailedIndexes > completions) {
      const text = 'must be less than or equal to completions';
      yield fieldError.invalid(path.child('maxFailedIndexes'), maxFailedIndexes, text);
    }
    return;
  }
  const text = 'requires indexed completion mode';
  if (backoffLimitPerIndex !== undefined) {
    yield fieldError.invalid(path.child('backoffLimitPerIndex'), backoffLimitPerIndex, text);
  }
  if (maxFailedIndexes !== undefined) yield fieldError.invalid(path.child('maxFailedIndexes'), maxFailedIndexes, text);
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
  yield* validateSelectorAndSpec(job);
  const elastic =
    spec.completionMode === 'Indexed' && spec.completions !== undefined && spec.completions === spec.parallelism;
  if (!elastic) yield* unchanged(SPEC.child('completions'), spec.completions, old.spec.completions);
  yield* unchanged(SPEC.child('selector'), spec.selector, old.spec.selector);
  const suspended =
    old.spec.suspend === true && (old.status?.startTime === undefined || old.status?.startTime === null);
  const fixed = ({ template }: JobSpec): object =>
    suspended ? { ...template, metadata: undefined, spec: { ...template.spec, ...SCHEDULING } } : template;
  if (!semanticEqual(fixed(spec), fixed(old.spec))) {
    yield fieldError.invalid(SPEC.child('template'), spec.template as unknown as Json, 'field is immutable');
  }
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

/** What may change in the template of a Job that waits. */
const SCHEDULING = { nodeSelector: undefined, affinity: undefined, tolerations: undefined, schedulingGates: undefined };
