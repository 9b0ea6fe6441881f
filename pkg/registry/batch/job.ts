import type { Job, JobSpec } from '../../api/generated/batch-v1.ts';
import { jobs } from '../../api/resources.ts';
import { formatAge } from '../../apimachinery/age.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isConditionTrue } from '../../apimachinery/object-meta.ts';
import { ageColumn, nameColumn, templateColumns } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { podNameWarning, templateWarnings } from '../core/pod-warnings.ts';
import { describe } from '../descriptor.ts';
import { validateJob, validateJobUpdate } from './validation/job.ts';
import { validateJobStatus } from './validation/job-status.ts';

const DEFAULT_BACKOFF_LIMIT = 6;
/** With a limit per index the total is not limited. */
const NO_BACKOFF_LIMIT = 2 ** 31 - 1;

/** What `kubectl get` calls the state of a Job (upstream: printJob). */
function statusText({ metadata, status }: Job): string {
  for (const type of ['Complete', 'Failed']) if (isConditionTrue(status?.conditions, type)) return type;
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']) {
    if (isConditionTrue(status?.conditions, type)) return type;
  }
  return 'Running';
}

function completionsText({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${done}/${spec.completions}`;
  return (spec.parallelism ?? 0) > 1 ? `${done}/1 of ${spec.parallelism}` : `${done}/1`;
}

function durationText({ status }: Job, now: number): string {
  if (!status?.startTime) return '';
  const end = status.completionTime ? Date.parse(status.completionTime) : now;
  return formatAge(end - Date.parse(status.startTime));
}

export const job = describe<Job>(jobs, {
  categories: ['all'],
  orphansByDefault: true,
  deleteWarning:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  *warnings({ metadata, spec }, old) {
    if (old === undefined) yield* podNameWarning(metadata.name);
    if (metadata.generation !== old?.metadata.generation) yield* jobSpecWarnings(spec, FieldPath.of('spec'));
  },
  validate: validateJob,
  validateUpdate: validateJobUpdate,
  updateSteps: ['object', 'metadata', 'change'],
  validateStatus: validateJobStatus,
  columns: [
    nameColumn,
    { name: 'Status', type: 'string', description: 'Status of the job.', cell: statusText },
    { name: 'Completions', type: 'string', doc: ['batch.v1.JobStatus', 'succeeded'], cell: completionsText },
    { name: 'Duration', type: 'string', description: 'Time required to complete the job.', cell: durationText },
    ageColumn,
    ...templateColumns(
      'A label query over pods that should match the pod count. Normally, the system sets this field for you. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors',
    ),
  ],
  selectableFields: { 'status.successful': { read: ({ status }) => String(status?.succeeded ?? 0) } },
  unselectableField: (field) => `field label ${JSON.stringify(field)} not supported for Job`,
  defaults(draft) {
    defaultJobSpec(draft.spec);
    inheritLabels(draft);
  },
  prepareForCreate(draft) {
    const inherited = draft.metadata.labels;
    const isShared = inherited !== undefined && inherited === draft.spec.template.metadata?.labels;
    if (!draft.spec.manualSelector) generateSelector(draft);
    const { labels } = draft.spec.template.metadata ?? {};
    if (isShared && labels !== undefined) draft.metadata.labels = labels;
  },
  complete: inheritLabels,
});

/** Upstream's SetDefaults_Job. */
function defaultJobSpec(spec: JobSpec): void {
  // Neither given: one Pod that has to succeed. A job with parallelism alone is a work queue without a fixed number.
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? DEFAULT_BACKOFF_LIMIT : NO_BACKOFF_LIMIT;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  for (const { onPodConditions } of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of onPodConditions ?? []) pattern.status ||= 'True';
  }
  if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
}

/** A Job without labels of its own carries those of its Pods: the very same, so what is added there is added here. */
function inheritLabels({ metadata, spec }: Job): void {
  const labels = spec.template?.metadata?.labels ?? {};
  if (Object.keys(metadata.labels ?? {}).length === 0 && Object.keys(labels).length > 0) metadata.labels = labels;
}

/** Pods are told apart by the Job's uid, which nobody can choose; labels that are there stay, for validation to judge. */
function generateSelector({ metadata, spec }: Job): void {
  const { name, uid } = metadata;
  const generated = {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
  const { template } = spec;
  template.metadata = { ...template.metadata, labels: { ...generated, ...template.metadata?.labels } };
  spec.selector ??= {};
  spec.selector.matchLabels = { 'batch.kubernetes.io/controller-uid': uid, ...spec.selector.matchLabels };
}

const MANY_COMPLETIONS = 100_000;
const MANY_AT_ONCE = 10_000;

/** Upstream's WarningsForJobSpec. */
export function* jobSpecWarnings(spec: JobSpec, path: FieldPath): Generator<string, void> {
  const isLarge = (spec.completions ?? 0) > MANY_COMPLETIONS && (spec.parallelism ?? 0) > MANY_AT_ONCE;
  if (spec.completionMode === 'Indexed' && isLarge) {
    yield `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`;
  }
  yield* templateWarnings(spec.template, path.child('template'));
}
