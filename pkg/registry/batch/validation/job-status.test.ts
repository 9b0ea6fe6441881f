import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job } from '../../../api/generated/batch-v1.ts';
import { validateJobStatus } from './job-status.ts';

const job = (status: object, spec: object = {}): Job => ({ spec, status }) as unknown as Job;
const isTrue = (...types: string[]): object[] => types.map((type) => ({ type, status: 'True' }));
const fields = (next: Job, old: Job = job({})): string[] =>
  [...validateJobStatus(next, old)].map(({ field, body }) => `${field}: ${body}`);

test('what a Job is and how far it has come go together', () => {
  const startTime = '2026-01-01T00:00:00Z';
  assert.deepEqual(fields(job({ active: 1, startTime })), []);
  const complete = { startTime, completionTime: '2026-01-01T00:01:00Z', succeeded: 1 };
  assert.deepEqual(fields(job({ ...complete, conditions: isTrue('SuccessCriteriaMet', 'Complete') })), []);
  assert.deepEqual(fields(job({ startTime, conditions: isTrue('FailureTarget', 'Failed') })), []);
  assert.deepEqual(fields(job({ startTime, conditions: isTrue('Failed') })), [
    'status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition',
  ]);
  assert.deepEqual(fields(job({ active: 1, ready: 2, completionTime: startTime })), [
    'status.completionTime: Invalid value: 2026-01-01 00:00:00 +0000 UTC: cannot set completionTime when there is no Complete=True condition',
    'status.ready: Invalid value: 2: cannot set more ready pods than active',
  ]);
});

test('the end of a Job is not taken back', () => {
  assert.deepEqual(fields(job({ active: 0 }), job({ conditions: isTrue('Failed') })), [
    'status.conditions: Invalid value: cannot disable the terminal Failed=True condition',
  ]);
});
