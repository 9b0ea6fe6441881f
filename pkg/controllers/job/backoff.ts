/** How long a Job waits before it replaces failed Pods. */
import type { Pod } from '../../api/generated/core-v1.ts';
import { finishedAt } from './job-facts.ts';

const FIRST_MS = 10_000;
const LONGEST_MS = 10 * 60_000;

/** The failures in a row of one Job. */
export interface BackoffRecord {
  readonly failures: number;
  /** When the last of them ended, in milliseconds. */
  readonly lastFailure: number;
}

export const NO_FAILURES: BackoffRecord = { failures: 0, lastFailure: 0 };

/** `record` after Pods that ended newly: a success starts the count again. */
export function recordOf(
  record: BackoffRecord,
  succeeded: readonly Pod[],
  failed: readonly Pod[],
  now: number,
): BackoffRecord {
  const failures = failed.map((pod) => finishedAt(pod, now)).sort((a, b) => a - b);
  const success = Math.max(-1, ...succeeded.map((pod) => finishedAt(pod, now)));
  const since = success < 0 ? failures : failures.filter((time) => time > success);
  if (since.length === 0) return success < 0 ? record : NO_FAILURES;
  return {
    failures: (success < 0 ? record.failures : 0) + since.length,
    lastFailure: Math.max(success < 0 ? record.lastFailure : 0, ...since),
  };
}

/** Milliseconds until the next Pod may be created: 10 s after one failure, doubling up to 10 minutes. */
export function remainingBackoff({ failures, lastFailure }: BackoffRecord, now: number): number {
  if (failures === 0) return 0;
  const delay = Math.min(FIRST_MS * 2 ** Math.min(failures - 1, 30), LONGEST_MS);
  return Math.max(0, lastFailure + delay - now);
}
