/** The Deployment's status: counts, the Available and Progressing conditions, and the progress deadline. */
import type { Deployment, DeploymentCondition, DeploymentStatus } from '../../api/generated/apps-v1.ts';
import { getCondition } from '../../apimachinery/object-meta.ts';
import { formatTime, parseTime } from '../../apimachinery/time.ts';
import { actualReplicas, availableReplicas, type Draft, desiredReplicas, maxUnavailable, sum } from './draft.ts';

/** `progressDeadlineSeconds` with this value means: no deadline. */
const NO_DEADLINE = 2 ** 31 - 1;
const TIMED_OUT = 'ProgressDeadlineExceeded';
const COMPLETED = 'NewReplicaSetAvailable';

type Condition = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>;

/** The list with `condition` set as upstream's SetDeploymentCondition does: equal status and reason change nothing. */
export function withCondition(
  conditions: readonly DeploymentCondition[],
  condition: Condition,
  now: string,
): DeploymentCondition[] {
  const old = getCondition(conditions, condition.type);
  if (old !== undefined && old.status === condition.status && old.reason === condition.reason) return [...conditions];
  const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : now;
  return [...without(conditions, condition.type), { ...condition, lastUpdateTime: now, lastTransitionTime }];
}

const without = (conditions: readonly DeploymentCondition[], type: string): DeploymentCondition[] =>
  conditions.filter((condition) => condition.type !== type);

export function hasProgressDeadline(deployment: Deployment): boolean {
  const { progressDeadlineSeconds } = deployment.spec;
  return progressDeadlineSeconds !== undefined && progressDeadlineSeconds !== NO_DEADLINE;
}

/** Every wanted Pod is of the new template and available, and nothing else runs. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = desiredReplicas(deployment);
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** Counts and the Available condition; the other conditions as they are. */
export function countStatus(
  deployment: Deployment,
  conditions: readonly DeploymentCondition[],
  all: readonly Draft[],
  newest: Draft | undefined,
  now: number,
): DeploymentStatus {
  const total = actualReplicas(all);
  const available = availableReplicas(all);
  const isAvailable = available >= desiredReplicas(deployment) - maxUnavailable(deployment);
  const availability: Condition = isAvailable
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
  const counts = {
    replicas: total,
    updatedReplicas: newest === undefined ? 0 : actualReplicas([newest]),
    readyReplicas: sum(all, ({ set }) => set.status.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total - available),
    terminatingReplicas: sum(all, ({ set }) => set.status.terminatingReplicas ?? 0),
  };
  return {
    observedGeneration: deployment.metadata.generation,
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    conditions: withCondition(conditions, availability, formatTime(now)),
    ...(deployment.status.collisionCount !== undefined && { collisionCount: deployment.status.collisionCount }),
  };
}

/** `status` with what is to be said of the rollout's progress and of ReplicaSets that cannot make Pods. */
export function withProgress(
  deployment: Deployment,
  status: DeploymentStatus,
  all: readonly Draft[],
  newest: Draft | undefined,
  now: number,
): DeploymentStatus {
  let conditions = progressConditions(deployment, status, newest, formatTime(now), now);
  const failure =
    getCondition(newest?.set.status.conditions, 'ReplicaFailure') ??
    all.map(({ set }) => getCondition(set.status.conditions, 'ReplicaFailure')).find((found) => found !== undefined);
  if (failure === undefined) conditions = without(conditions, 'ReplicaFailure');
  else conditions = withCondition(conditions, { ...failure, type: 'ReplicaFailure' }, formatTime(now));
  return { ...status, conditions };
}

function progressConditions(
  deployment: Deployment,
  status: DeploymentStatus,
  newest: Draft | undefined,
  time: string,
  now: number,
): DeploymentCondition[] {
  const conditions = status.conditions ?? [];
  if (!hasProgressDeadline(deployment)) return without(conditions, 'Progressing');
  const current = getCondition(conditions, 'Progressing');
  const wasComplete = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === COMPLETED;
  if (wasComplete) return conditions;
  const subject =
    newest === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newest.set.metadata.name}"`;
  if (isComplete(deployment, status)) {
    const message = `${subject} has successfully progressed.`;
    return withCondition(conditions, { type: 'Progressing', status: 'True', reason: COMPLETED, message }, time);
  }
  if (hasProgressed(deployment.status, status)) {
    const condition = {
      type: 'Progressing',
      status: 'True',
      reason: 'ReplicaSetUpdated',
      message: `${subject} is progressing.`,
    };
    // Each step renews lastUpdateTime, from which the deadline counts.
    const since = current?.status === 'True' ? current.lastTransitionTime : time;
    return [...without(conditions, 'Progressing'), { ...condition, lastUpdateTime: time, lastTransitionTime: since }];
  }
  if (hasTimedOut(deployment, current, now)) {
    const message = `${subject} has timed out progressing.`;
    return withCondition(conditions, { type: 'Progressing', status: 'False', reason: TIMED_OUT, message }, time);
  }
  return conditions;
}

function hasProgressed(old: DeploymentStatus, status: DeploymentStatus): boolean {
  const outdated = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus): number => replicas - updatedReplicas;
  return (
    (status.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    outdated(status) < outdated(old) ||
    (status.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

function hasTimedOut(deployment: Deployment, condition: DeploymentCondition | undefined, now: number): boolean {
  if (condition === undefined || condition.reason === COMPLETED) return false;
  if (condition.reason === TIMED_OUT) return true;
  return now > deadline(deployment, condition);
}

function deadline(deployment: Deployment, condition: DeploymentCondition): number {
  return (parseTime(condition.lastUpdateTime) ?? 0) + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000;
}

/** Milliseconds until a stuck rollout has to be called so; undefined when there is nothing to wait for. */
export function untilDeadline(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const condition = getCondition(status.conditions, 'Progressing');
  if (!hasProgressDeadline(deployment) || condition === undefined || deployment.spec.paused) return undefined;
  if (isComplete(deployment, status) || condition.reason === TIMED_OUT) return undefined;
  return Math.max(0, deadline(deployment, condition) - now) + 1000;
}

/** The Progressing condition of a Deployment that was paused or resumed since it was last looked at, if it was. */
export function pauseCondition(deployment: Deployment): Condition | undefined {
  if (!hasProgressDeadline(deployment)) return undefined;
  const reason = getCondition(deployment.status.conditions, 'Progressing')?.reason;
  if (reason === TIMED_OUT) return undefined;
  const paused = deployment.spec.paused === true;
  if (paused === (reason === 'DeploymentPaused')) return undefined;
  return paused
    ? { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }
    : { type: 'Progressing', status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' };
}
