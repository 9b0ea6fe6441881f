/** What a Deployment calls for next: pure, from what is seen to what should be written. */
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../api/generated/apps-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import { deployments } from '../../api/resources.ts';
import { apiVersionOf } from '../../api/types.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { objectHash } from '../../apimachinery/hash.ts';
import { controllerOf, controllerReference, isBeingDeleted } from '../../apimachinery/object-meta.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { isPodTerminal } from '../pod-state.ts';
import {
  actualReplicas,
  byAge,
  type Draft,
  draftOf,
  hasTemplateOf,
  isRollingUpdate,
  newReplicaSetSize,
  POD_TEMPLATE_HASH,
} from './draft.ts';
import { byRevision, nextRevision, noteReplicas, noteRevision, REVISION } from './revisions.ts';
import { isScalingEvent, rollingUpdateStep, scale, startNew, stopOld } from './scaling.ts';
import {
  countStatus,
  hasProgressDeadline,
  isComplete,
  pauseCondition,
  untilDeadline,
  withCondition,
  withProgress,
} from './status.ts';

/** `revisionHistoryLimit` with this value means: keep all. */
const NO_LIMIT = 2 ** 31 - 1;

export interface DeploymentView {
  readonly deployment: Deployment;
  /** The ReplicaSets that belong to it. */
  readonly sets: readonly ReplicaSet[];
  /** The Pods of the namespace (for Recreate: whether old ones still run). */
  readonly pods: readonly Pod[];
}

export interface DeploymentPlan {
  /** To be created first. */
  readonly create: Draft | undefined;
  /** To be written because size, annotations or minReadySeconds change. */
  readonly updates: readonly Draft[];
  /** History beyond revisionHistoryLimit. */
  readonly deletes: readonly ReplicaSet[];
  readonly status: DeploymentStatus;
  /** The revision to note on the Deployment; undefined to leave it. */
  readonly revision: string | undefined;
  /** Milliseconds after which time alone may change the plan. */
  readonly again: number | undefined;
}

/** The plan for `view` at `now` (milliseconds). Mirrors upstream's deployment controller, one sync at a time. */
export function planDeployment(view: DeploymentView, now: number): DeploymentPlan {
  const { deployment } = view;
  const drafts = view.sets.map((set) => draftOf(set)).sort(byAge);
  let newest = drafts.find(({ set }) => hasTemplateOf(set, deployment));
  const old = drafts.filter((draft) => draft !== newest);
  let conditions = deployment.status.conditions ?? [];
  const set = (condition: ReturnType<typeof pauseCondition>): void => {
    if (condition !== undefined) conditions = withCondition(conditions, condition, formatTime(now));
  };
  const deletes: ReplicaSet[] = [];
  let rollsOut = false;

  if (!isBeingDeleted(deployment)) {
    set(pauseCondition(deployment));
    if (newest !== undefined) {
      noteRevision(newest, deployment, nextRevision(old));
      newest.minReadySeconds = deployment.spec.minReadySeconds ?? 0;
      if (!conditions.some(({ type }) => type === 'Progressing')) {
        set(progressing(deployment, 'FoundNewReplicaSet', `Found new replica set "${newest.set.metadata.name}"`));
      }
    }
    const createNewest = (): Draft => {
      const created = draftNewReplicaSet(deployment, old);
      set(progressing(deployment, 'NewReplicaSetCreated', `Created new replica set "${created.set.metadata.name}"`));
      return created;
    };
    if (deployment.spec.paused || isScalingEvent(deployment, drafts)) {
      scale(deployment, newest, old);
      if (deployment.spec.paused) deletes.push(...forgotten(deployment, old));
    } else {
      rollsOut = true;
      let settled: boolean;
      if (isRollingUpdate(deployment)) {
        newest ??= createNewest();
        settled = !rollingUpdateStep(deployment, newest, old);
      } else {
        settled = !stopOld(deployment, old) && !oldPodsRun(old, view.pods);
        if (settled) {
          newest ??= createNewest();
          startNew(deployment, newest);
        }
      }
      if (settled && isComplete(deployment, deployment.status)) deletes.push(...forgotten(deployment, old));
    }
  }

  const all = newest === undefined ? old : [...old, newest];
  const counted = countStatus(deployment, conditions, all, newest, now);
  const status = rollsOut ? withProgress(deployment, counted, all, newest, now) : counted;
  const gone = new Set(deletes);
  return {
    create: newest?.isNew ? newest : undefined,
    updates: all.filter((draft) => !draft.isNew && !gone.has(draft.set) && isChanged(draft)),
    deletes,
    status,
    revision: newest?.annotations[REVISION],
    again: untilDeadline(deployment, status, now),
  };
}

function progressing(deployment: Deployment, reason: string, message: string): ReturnType<typeof pauseCondition> {
  return hasProgressDeadline(deployment) ? { type: 'Progressing', status: 'True', reason, message } : undefined;
}

function isChanged({ set, replicas, annotations, minReadySeconds }: Draft): boolean {
  return (
    replicas !== (set.spec.replicas ?? 0) ||
    minReadySeconds !== (set.spec.minReadySeconds ?? 0) ||
    !deepEqual(annotations, set.metadata.annotations ?? {})
  );
}

/** The ReplicaSet for the present template, in the size that the strategy allows at once. */
function draftNewReplicaSet(deployment: Deployment, old: readonly Draft[]): Draft {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = objectHash(template, deployment.status.collisionCount);
  const labels = { ...template.metadata.labels, [POD_TEMPLATE_HASH]: hash };
  const owner = { apiVersion: apiVersionOf(deployments), kind: deployments.kind };
  const draft = draftOf(
    {
      metadata: {
        name: `${deployment.metadata.name}-${hash}`,
        namespace: deployment.metadata.namespace,
        labels,
        ownerReferences: [controllerReference(deployment, owner)],
        uid: '',
        resourceVersion: '',
        creationTimestamp: '',
      },
      spec: {
        minReadySeconds,
        selector: { ...selector, matchLabels: { ...selector?.matchLabels, [POD_TEMPLATE_HASH]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
      status: { replicas: 0 },
    },
    true,
  );
  draft.replicas = newReplicaSetSize(deployment, [...old, draft], 0);
  noteRevision(draft, deployment, nextRevision(old));
  noteReplicas(draft, deployment);
  return draft;
}

function oldPodsRun(old: readonly Draft[], pods: readonly Pod[]): boolean {
  if (actualReplicas(old) > 0) return true;
  const uids = new Set(old.map(({ set }) => set.metadata.uid));
  return pods.some((pod) => uids.has(controllerOf(pod)?.uid ?? '') && !isPodTerminal(pod));
}

/** The empty old ReplicaSets beyond revisionHistoryLimit, oldest revisions first. */
function forgotten(deployment: Deployment, old: readonly Draft[]): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? NO_LIMIT;
  if (limit === NO_LIMIT) return [];
  const kept = old.filter(({ set }) => !isBeingDeleted(set));
  return kept
    .sort(byRevision)
    .slice(0, Math.max(0, kept.length - limit))
    .filter(
      ({ set, replicas }) =>
        set.status.replicas === 0 &&
        replicas === 0 &&
        (set.spec.replicas ?? 0) === 0 &&
        (set.metadata.generation ?? 0) <= (set.status.observedGeneration ?? 0),
    )
    .map(({ set }) => set);
}
