import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job, JobSpec, JobStatus } from '../../api/generated/batch-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { Input } from '../../api/types.ts';
import { formatTime } from '../../apimachinery/time.ts';
import { job } from '../testing/harness.ts';
import { accountFor } from './account.ts';
import { type BackoffRecord, NO_FAILURES, recordOf, remainingBackoff } from './backoff.ts';
import { COMPLETION_INDEX, INDEX_FAILURES, TRACKING_FINALIZER } from './job-facts.ts';
import { planJob } from './plan.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const ago = (seconds: number): string => formatTime(NOW - seconds * 1000);

interface Look {
  phase?: string;
  index?: number;
  deleted?: boolean;
  exitCode?: number;
  /** Seconds since it ended. */
  ended?: number;
  restarts?: number;
  conditions?: { type: string; status: string }[];
  failures?: number;
}

let serial = 0;
function pod({
  phase = 'Running',
  index,
  deleted,
  exitCode,
  ended = 60,
  restarts = 0,
  conditions,
  failures,
}: Look): Pod {
  const uid = `pod-${++serial}`;
  const state = exitCode === undefined ? {} : { terminated: { exitCode, finishedAt: ago(ended) } };
  return {
    metadata: {
      name: uid,
      namespace: 'n',
      uid,
      finalizers: [TRACKING_FINALIZER],
      creationTimestamp: ago(600),
      ...(deleted && { deletionTimestamp: ago(1) }),
      annotations: {
        ...(index !== undefined && { [COMPLETION_INDEX]: String(index) }),
        ...(failures !== undefined && { [INDEX_FAILURES]: String(failures) }),
      },
    },
    spec: { containers: [] },
    status: { phase, conditions, containerStatuses: [{ name: 'c', state, restartCount: restarts }] },
  } as unknown as Pod;
}

function jobOf(spec: Partial<Input<JobSpec>>, status: Partial<JobStatus> = {}): Job {
  const base = job(spec);
  return { ...base, metadata: { ...base.metadata, uid: 'job' }, status: { startTime: ago(100), ...status } } as Job;
}

const failed: Look = { phase: 'Failed', exitCode: 1 };
const succeeded: Look = { phase: 'Succeeded', exitCode: 0 };
const onExit = (action: string, values: number[]): Input<JobSpec['podFailurePolicy']> => ({
  rules: [{ action, onExitCodes: { operator: 'In', values } }],
});

interface Case {
  name: string;
  spec?: Partial<Input<JobSpec>>;
  status?: Partial<JobStatus>;
  pods?: Look[];
  backoff?: BackoffRecord;
  creates?: number | number[];
  deletes?: number;
  verdict?: string;
  again?: number;
}

const cases: Case[] = [
  { name: 'a new Job', creates: 1 },
  { name: 'as many as run in parallel', spec: { completions: 5, parallelism: 3 }, creates: 3 },
  { name: 'no more than are missing', spec: { completions: 5, parallelism: 3 }, status: { succeeded: 4 }, creates: 1 },
  { name: 'smaller parallelism', spec: { completions: 5, parallelism: 1 }, pods: [{}, {}, {}], deletes: 2 },
  { name: 'work queue starts', spec: { completions: undefined, parallelism: 2 }, creates: 2 },
  { name: 'work queue, one done', spec: { completions: undefined, parallelism: 2 }, pods: [{}, succeeded] },
  {
    name: 'work queue, all done',
    spec: { completions: undefined, parallelism: 2 },
    pods: [succeeded, failed],
    verdict: 'SuccessCriteriaMet CompletionsReached',
  },
  { name: 'done', pods: [succeeded], verdict: 'SuccessCriteriaMet CompletionsReached' },
  { name: 'suspended', spec: { suspend: true, parallelism: 2, completions: 2 }, pods: [{}, {}], deletes: 2 },
  { name: 'failure: waits', pods: [{ ...failed, ended: 4 }], again: 6000 },
  { name: 'failure: waited', pods: [{ ...failed, ended: 11 }], creates: 1 },
  {
    name: 'third failure in a row waits longer',
    status: { failed: 2 },
    backoff: { failures: 2, lastFailure: NOW - 30_000 },
    pods: [{ ...failed, ended: 15 }],
    again: 25_000,
  },
  { name: 'backoffLimit', spec: { backoffLimit: 0 }, pods: [failed], verdict: 'FailureTarget BackoffLimitExceeded' },
  {
    name: 'restarts count with OnFailure',
    spec: { backoffLimit: 2, template: { spec: { restartPolicy: 'OnFailure', containers: [] } } },
    pods: [{ restarts: 2 }],
    deletes: 1,
    verdict: 'FailureTarget BackoffLimitExceeded',
  },
  { name: 'deadline ahead', spec: { activeDeadlineSeconds: 130 }, pods: [{}], again: 30_000 },
  {
    name: 'deadline over',
    spec: { activeDeadlineSeconds: 100 },
    pods: [{}],
    deletes: 1,
    verdict: 'FailureTarget DeadlineExceeded',
  },
  {
    name: 'podFailurePolicy FailJob',
    spec: { podFailurePolicy: onExit('FailJob', [42]) },
    pods: [{ ...failed, exitCode: 42 }],
    verdict: 'FailureTarget PodFailurePolicy',
  },
  {
    name: 'podFailurePolicy Ignore',
    spec: { backoffLimit: 0, podFailurePolicy: onExit('Ignore', [42]) },
    pods: [{ ...failed, exitCode: 42 }],
    creates: 1,
  },
  {
    name: 'a deleted Pod has failed',
    spec: { backoffLimit: 1 },
    pods: [{ deleted: true, phase: 'Running' }],
    again: 9000,
  },
  {
    name: 'a deleted Pod is waited for',
    spec: { podReplacementPolicy: 'Failed' },
    pods: [{ deleted: true, phase: 'Running' }],
  },
  {
    name: 'the first indexes',
    spec: { completionMode: 'Indexed', completions: 5, parallelism: 2 },
    creates: [0, 1],
  },
  {
    name: 'the next indexes',
    spec: { completionMode: 'Indexed', completions: 5, parallelism: 3 },
    status: { completedIndexes: '0,2' },
    pods: [{ index: 3 }],
    creates: [1, 4],
  },
  {
    name: 'an index run twice',
    spec: { completionMode: 'Indexed', completions: 3, parallelism: 3 },
    pods: [{ index: 1 }, { index: 1 }, { index: 7 }],
    deletes: 2,
  },
  {
    name: 'all indexes done',
    spec: { completionMode: 'Indexed', completions: 3, parallelism: 3 },
    status: { completedIndexes: '0,1' },
    pods: [{ ...succeeded, index: 2 }],
    verdict: 'SuccessCriteriaMet CompletionsReached',
  },
  {
    name: 'successPolicy',
    spec: {
      completionMode: 'Indexed',
      completions: 3,
      parallelism: 3,
      successPolicy: { rules: [{ succeededIndexes: '0' }] },
    },
    pods: [{ ...succeeded, index: 0 }, { index: 1 }, { index: 2 }],
    deletes: 2,
    verdict: 'SuccessCriteriaMet SuccessPolicy',
  },
  {
    name: 'an index is tried again',
    spec: {
      completionMode: 'Indexed',
      completions: 2,
      parallelism: 2,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 1,
    },
    pods: [{ ...failed, index: 0, failures: 0 }, { index: 1 }],
    creates: [0],
  },
  {
    name: 'an index has failed, the other runs',
    spec: {
      completionMode: 'Indexed',
      completions: 2,
      parallelism: 2,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 1,
    },
    pods: [{ ...failed, index: 0, failures: 1 }, { index: 1 }],
  },
  {
    name: 'an index has failed, the other is done',
    spec: {
      completionMode: 'Indexed',
      completions: 2,
      parallelism: 2,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 0,
    },
    pods: [
      { ...failed, index: 0, failures: 0 },
      { ...succeeded, index: 1 },
    ],
    verdict: 'FailureTarget FailedIndexes',
  },
];

for (const {
  name,
  spec = {},
  status,
  pods = [],
  backoff = NO_FAILURES,
  creates = 0,
  deletes = 0,
  verdict,
  again,
} of cases) {
  test(`plan: ${name}`, () => {
    const plan = planJob({ job: jobOf(spec, status), pods: pods.map(pod) }, backoff, NOW);
    if (Array.isArray(creates))
      assert.deepEqual(
        plan.creates.map(({ index }) => index),
        creates,
      );
    else assert.equal(plan.creates.length, creates);
    assert.equal(plan.deletes.length, deletes);
    assert.equal(plan.verdict && `${plan.verdict.type} ${plan.verdict.reason}`, verdict);
    assert.equal(plan.again, again);
  });
}

test('why a failure policy ends the Job', () => {
  const victim = pod({ ...failed, exitCode: 42 });
  const plan = planJob({ job: jobOf({ podFailurePolicy: onExit('FailJob', [42]) }), pods: [victim] }, NO_FAILURES, NOW);
  const where = `n/${victim.metadata.name}`;
  const text = `Container c for pod ${where} failed with exit code 42 matching FailJob rule at index 0`;
  assert.equal(plan.verdict?.message, text);
});

test('an ended Pod is noted before it is counted', () => {
  const ended = pod(failed);
  const view = { job: jobOf({}, { failed: 1, uncountedTerminatedPods: { failed: ['gone'] } }), pods: [ended, pod({})] };
  const plan = planJob(view, NO_FAILURES, NOW);
  const { status, release } = accountFor(view, plan, { created: 0, deleted: new Set() }, NOW);
  assert.deepEqual(release, [ended]);
  assert.equal(status.failed, 2);
  assert.deepEqual(status.uncountedTerminatedPods, { failed: [ended.metadata.uid] });
});

test('a success starts the count of failures again', () => {
  const at = (ended: number, look: Look): Pod => pod({ ...look, ended });
  const two = recordOf(NO_FAILURES, [], [at(30, failed), at(20, failed)], NOW);
  assert.deepEqual(two, { failures: 2, lastFailure: NOW - 20_000 });
  assert.deepEqual(recordOf(two, [at(10, succeeded)], [], NOW), NO_FAILURES);
  assert.equal(recordOf(two, [at(10, succeeded)], [at(5, failed)], NOW).failures, 1);
  assert.equal(remainingBackoff({ failures: 40, lastFailure: NOW }, NOW), 600_000);
});
