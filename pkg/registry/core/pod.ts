import type { Pod } from '../../api/generated/core-v1.ts';
import { pods } from '../../api/resources.ts';
import { formatAge } from '../../apimachinery/age.ts';
import { qosClass } from '../../apimachinery/qos.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { type Column, type ConnectSubresource, describe, statusPart } from '../descriptor.ts';
import { adoptAppArmorAnnotations } from './app-armor.ts';
import { binding } from './binding.ts';
import { eviction } from './eviction.ts';
import { mergeLabelKeys } from './label-keys.ts';
import { defaultPod } from './pod-defaults.ts';
import { submittedStatus, syncPodIPs } from './pod-status.ts';
import { summarizePod } from './pod-status-text.ts';
import { podNameWarning, podWarnings } from './pod-warnings.ts';
import {
  validateEphemeralContainersUpdate,
  validatePod,
  validatePodCreate,
  validatePodUpdate,
} from './validation/pod.ts';
import { validatePodStatus } from './validation/pod-status.ts';
import { takeResources, validateResize } from './validation/resize.ts';

const PROXY_VERBS = ['create', 'delete', 'get', 'patch', 'update'] as const;
const connect = (kind: string, verbs: ConnectSubresource['verbs']): ConnectSubresource => ({
  type: 'connect',
  kind,
  verbs,
});

const columns: readonly Column<Pod>[] = [
  nameColumn,
  {
    name: 'Ready',
    type: 'string',
    description: 'The aggregate readiness state of this pod for accepting traffic.',
    cell: (pod) => {
      const { ready, total } = summarizePod(pod);
      return `${ready}/${total}`;
    },
  },
  {
    name: 'Status',
    type: 'string',
    description: 'The aggregate status of the containers in this pod.',
    cell: (pod) => summarizePod(pod).status,
  },
  {
    name: 'Restarts',
    type: 'string',
    description:
      'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    cell: (pod, now) => {
      const { restarts, lastRestart } = summarizePod(pod);
      return restarts > 0 && lastRestart !== undefined
        ? `${restarts} (${formatAge(now - lastRestart)} ago)`
        : String(restarts);
    },
  },
  ageColumn,
  {
    name: 'IP',
    type: 'string',
    doc: ['core.v1.PodStatus', 'podIP'],
    priority: 1,
    cell: (pod) => pod.status.podIPs?.[0]?.ip || '<none>',
  },
  {
    name: 'Node',
    type: 'string',
    doc: ['core.v1.PodSpec', 'nodeName'],
    priority: 1,
    cell: (pod) => pod.spec.nodeName || '<none>',
  },
  {
    name: 'Nominated Node',
    type: 'string',
    doc: ['core.v1.PodStatus', 'nominatedNodeName'],
    priority: 1,
    cell: (pod) => pod.status.nominatedNodeName || '<none>',
  },
  {
    name: 'Readiness Gates',
    type: 'string',
    doc: ['core.v1.PodSpec', 'readinessGates'],
    priority: 1,
    cell: (pod) => {
      const gates = pod.spec.readinessGates ?? [];
      if (gates.length === 0) return '<none>';
      const met = gates.filter(({ conditionType }) =>
        (pod.status.conditions ?? []).some(({ type, status }) => type === conditionType && status === 'True'),
      );
      return `${met.length}/${gates.length}`;
    },
  },
];

/** Clients may show the rows of Pods that have ended in another way. */
const COMPLETED: Readonly<Record<string, readonly object[]>> = {
  Succeeded: [completed('Succeeded', 'The pod has completed successfully.')],
  Failed: [completed('Failed', 'The pod failed.')],
};

function completed(reason: string, message: string): object {
  return { type: 'Completed', status: 'True', reason, message };
}

export const pod = describe<Pod>(pods, {
  shortNames: ['po'],
  categories: ['all'],
  returnsDeleted: true,
  columns,
  rowConditions: ({ status }) =>
    Object.hasOwn(COMPLETED, status.phase ?? '') ? COMPLETED[status.phase ?? ''] : undefined,
  defaults(draft) {
    defaultPod(draft.spec);
    if (draft.status !== undefined) syncPodIPs(draft.status);
  },
  prepareForCreate(draft, context) {
    draft.status = { phase: 'Pending', qosClass: qosClass(draft) };
    mergeLabelKeys(draft);
    adoptAppArmorAnnotations(draft);
    const gates = draft.spec.schedulingGates ?? [];
    if (gates.length > 0) {
      const condition = {
        type: 'PodScheduled',
        status: 'False',
        reason: 'SchedulingGated',
        message: 'Scheduling is blocked due to non-empty scheduling gates',
        lastProbeTime: null,
        lastTransitionTime: context.now,
      };
      draft.status.conditions = [condition];
    }
  },
  *warnings({ metadata, spec }, old) {
    // People change controllers, not Pods.
    if (old !== undefined) return;
    yield* podNameWarning(metadata.name, "the Pod's hostname");
    yield* podWarnings(spec, metadata);
  },
  validate: validatePod,
  validateCreate: validatePodCreate,
  validateUpdate: validatePodUpdate,
  updateSteps: ['metadata', 'object', 'change'],
  deletionGrace(object, requested) {
    if (!object.spec.nodeName) return 0;
    const { phase } = object.status;
    if (phase === 'Failed' || phase === 'Succeeded') return 0;
    const seconds = requested ?? object.spec.terminationGracePeriodSeconds ?? 0;
    return seconds < 0 ? 1 : seconds;
  },
  selectableFields: {
    'spec.nodeName': { read: (object) => object.spec.nodeName ?? '' },
    'spec.restartPolicy': { read: (object) => object.spec.restartPolicy ?? '' },
    'spec.schedulerName': { read: (object) => object.spec.schedulerName ?? '' },
    'spec.serviceAccountName': { read: (object) => object.spec.serviceAccountName ?? '' },
    'spec.hostNetwork': { read: (object) => String(object.spec.hostNetwork ?? false) },
    'status.phase': { read: (object) => object.status.phase ?? '' },
    'status.podIP': { read: (object) => object.status.podIP ?? '' },
    'status.podIPs': { read: (object) => object.status.podIP ?? '' },
    'status.nominatedNodeName': { read: (object) => object.status.nominatedNodeName ?? '' },
  },
  subresources: {
    status: {
      ...statusPart<Pod>(undefined, ['ownerReferences']),
      take(draft, submitted) {
        draft.status = submittedStatus(submitted.status, draft.status);
      },
      validate: validatePodStatus,
    },
    ephemeralcontainers: {
      type: 'part',
      verbs: ['get', 'patch', 'update'],
      take: (draft, submitted) => {
        if (submitted.spec.ephemeralContainers === undefined) delete draft.spec.ephemeralContainers;
        else draft.spec.ephemeralContainers = submitted.spec.ephemeralContainers;
      },
      validate: validateEphemeralContainersUpdate,
      keepsMetadata: 'all',
      resets: ['status'],
    },
    resize: {
      type: 'part',
      verbs: ['get', 'patch', 'update'],
      take: takeResources,
      validate: validateResize,
      keepsMetadata: 'all',
      resets: ['status'],
    },
    binding,
    eviction,
    log: connect('Pod', ['get']),
    exec: connect('PodExecOptions', ['create', 'get']),
    attach: connect('PodAttachOptions', ['create', 'get']),
    portforward: connect('PodPortForwardOptions', ['create', 'get']),
    proxy: connect('PodProxyOptions', PROXY_VERBS),
  },
});
