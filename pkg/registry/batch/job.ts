import type { Job, JobSpec } from '../../api/generated/batch-v1.ts';
import { jobs } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { describe } from '../descriptor.ts';

const DEFAULT_BACKOFF_LIMIT = 6;
/** With a limit per index the total is not limited. */
const NO_BACKOFF_LIMIT = 2 ** 31 - 1;

export const job = describe<Job>(jobs, {
  categories: ['all'],
  orphansByDefault: true,
  selectableFields: { 'status.successful': { read: ({ status }) => String(status?.succeeded ?? 0) } },
  defaults(draft) {
    defaultJobSpec(draft.spec);
    inheritLabels(draft);
  },
  prepareForCreate(draft) {
    const templateLabels = draft.spec.template.metadata?.labels;
    const inherits =
      Object.keys(draft.metadata.labels ?? {}).length === 0 || deepEqual(draft.metadata.labels, templateLabels);
    if (!draft.spec.manualSelector) generateSelector(draft);
    if (inherits) draft.metadata.labels = { ...draft.spec.template.metadata?.labels };
  },
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

/** A Job without labels of its own carries those of its Pods. */
function inheritLabels({ metadata, spec }: Job): void {
  const labels = spec.template?.metadata?.labels ?? {};
  if (Object.keys(metadata.labels ?? {}).length === 0 && Object.keys(labels).length > 0)
    metadata.labels = { ...labels };
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
