/** The annotations by which a Deployment and its ReplicaSets remember revisions and sizes. */
import type { Deployment, ReplicaSet } from '../../api/generated/apps-v1.ts';
import { byAge, type Draft, desiredReplicas, maxSurge } from './draft.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** Not copied from the Deployment to its ReplicaSets. */
const OWN_ANNOTATIONS: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);
const LONGEST_HISTORY = 2000;

/** The annotation's number, which has 64 bits; 0 when it is missing or no number. */
function revisionOf(set: ReplicaSet): bigint {
  return revisionIn(set.metadata.annotations?.[REVISION]) ?? 0n;
}

/** The revision after all of these. */
export function nextRevision(drafts: readonly Draft[]): bigint {
  let most = 0n;
  for (const { set } of drafts) if (revisionOf(set) > most) most = revisionOf(set);
  return most + 1n;
}

/** By revision, then by age: the order in which history is forgotten. */
export function byRevision(a: Draft, b: Draft): number {
  const difference = revisionOf(a.set) - revisionOf(b.set);
  if (difference === 0n) return byAge(a, b);
  return difference < 0n ? -1 : 1;
}

/** The size the Deployment had when `draft` was last scaled; undefined when unknown. */
export const desiredReplicasOf = (draft: Draft): number | undefined => integer(draft.annotations[DESIRED_REPLICAS]);

/** The most Pods the Deployment was allowed when `draft` was last scaled; undefined when unknown. */
export const maxReplicasOf = (draft: Draft): number | undefined => integer(draft.annotations[MAX_REPLICAS]);

/** Notes the Deployment's present size on `draft`. */
export function noteReplicas(draft: Draft, deployment: Deployment): void {
  const desired = desiredReplicas(deployment);
  draft.annotations[DESIRED_REPLICAS] = String(desired);
  draft.annotations[MAX_REPLICAS] = String(desired + maxSurge(deployment));
}

/**
 * Makes `draft` the ReplicaSet of `revision`: it takes over the Deployment's annotations and, when it had an earlier
 * revision (a roll-back), remembers that one.
 */
export function noteRevision(draft: Draft, deployment: Deployment, revision: bigint): void {
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!OWN_ANNOTATIONS.has(key)) draft.annotations[key] = value;
  }
  const old = draft.annotations[REVISION];
  const oldRevision = old === undefined || old === '' ? 0n : revisionIn(old);
  if (oldRevision === undefined || oldRevision >= revision) return;
  draft.annotations[REVISION] = String(revision);
  if (old !== undefined) {
    draft.annotations[REVISION_HISTORY] = appendHistory(draft.annotations[REVISION_HISTORY] ?? '', old);
  }
}

/** The history with `revision` at its end; the oldest entries go when it becomes too long. */
function appendHistory(history: string, revision: string): string {
  const revisions = history === '' ? [] : history.split(',');
  revisions.push(revision);
  while (revisions.length > 1 && revisions.join(',').length > LONGEST_HISTORY) revisions.shift();
  return revisions.join(',');
}

const MOST = 2n ** 63n - 1n;

function revisionIn(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^-?\d+$/.test(text)) return undefined;
  const number = BigInt(text);
  return number > MOST || number < -MOST - 1n ? undefined : number;
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}
