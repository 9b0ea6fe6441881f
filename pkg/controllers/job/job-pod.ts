/** The Pods a Job makes. */
import type { Job } from '../../api/generated/batch-v1.ts';
import type { Container, Pod } from '../../api/generated/core-v1.ts';
import { jobs } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { podFromTemplate } from '../pod-control.ts';
import { COMPLETION_INDEX, INDEX_FAILURES, INDEX_IGNORED_FAILURES, TRACKING_FINALIZER } from './job-facts.ts';

/** A Pod to be created; without an index for Jobs that are not indexed. */
export interface PodOrder {
  readonly index?: number;
  /** The earlier failures of the index, for Jobs with a backoffLimitPerIndex. */
  readonly failures?: { readonly counted: number; readonly ignored: number };
}

const INDEX_ENV = 'JOB_COMPLETION_INDEX';
/** What a generated name leaves for its base: five letters follow. */
const LONGEST_PREFIX = 58;

/** The Pod that `order` asks for. */
export function podOf(job: Job, order: PodOrder): Input<Pod> {
  const pod = podFromTemplate(job.spec.template, jobs, job);
  const finalizers = [...(pod.metadata.finalizers ?? [])];
  if (!finalizers.includes(TRACKING_FINALIZER)) finalizers.push(TRACKING_FINALIZER);
  const { index, failures } = order;
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers } };
  const suffix = `-${index}-`;
  return {
    metadata: {
      ...pod.metadata,
      finalizers,
      generateName: `${job.metadata.name.slice(0, LONGEST_PREFIX - suffix.length)}${suffix}`,
      labels: { ...pod.metadata.labels, [COMPLETION_INDEX]: String(index) },
      annotations: {
        ...pod.metadata.annotations,
        [COMPLETION_INDEX]: String(index),
        ...(failures && { [INDEX_FAILURES]: String(failures.counted) }),
        ...(failures && failures.ignored > 0 && { [INDEX_IGNORED_FAILURES]: String(failures.ignored) }),
      },
    },
    spec: {
      ...pod.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: (pod.spec?.containers ?? []).map(withIndex),
      ...(pod.spec?.initContainers && { initContainers: pod.spec.initContainers.map(withIndex) }),
    },
  };
}

/** Tells a container its Pod's index, unless it brings a variable of that name itself. */
function withIndex(container: Input<Container>): Input<Container> {
  const env = container.env ?? [];
  if (env.some(({ name }) => name === INDEX_ENV)) return container;
  const fieldRef = { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` };
  return { ...container, env: [...env, { name: INDEX_ENV, valueFrom: { fieldRef } }] };
}
