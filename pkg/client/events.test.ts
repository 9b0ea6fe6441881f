import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectRef } from '../apimachinery/object-reference.ts';
import { EventCorrelator } from './event-correlator.ts';

const about: ObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'u1', namespace: 'default' };
const occurrence = (message: string, at: number, object = about) =>
  ({ about: object, type: 'Warning', reason: 'BackOff', message, at }) as const;

test('equal events are counted on the event written first', () => {
  const correlator = new EventCorrelator();
  const first = correlator.correlate(occurrence('same', 1000));
  assert.equal(first?.name, undefined);
  correlator.written(first?.key ?? '', 'web.1');
  const second = correlator.correlate(occurrence('same', 2000));
  assert.deepEqual(
    { name: second?.name, count: second?.count, firstAt: second?.firstAt },
    { name: 'web.1', count: 2, firstAt: 1000 },
  );
  correlator.forget(second?.key ?? '');
  assert.equal(correlator.correlate(occurrence('same', 3000))?.count, 1);
});

test('from the tenth similar event on they are combined', () => {
  const correlator = new EventCorrelator();
  const messages = Array.from({ length: 12 }, (_, i) => correlator.correlate(occurrence(`try ${i}`, i))?.message);
  assert.equal(messages[8], 'try 8');
  assert.equal(messages[9], '(combined from similar events): try 9');
  assert.equal(messages[11], '(combined from similar events): try 11');
});

test('an object may have 25 events at once, then one in five minutes', () => {
  const correlator = new EventCorrelator();
  const written = Array.from({ length: 30 }, () => correlator.correlate(occurrence('x', 0))).filter(Boolean);
  assert.equal(written.length, 25);
  assert.equal(correlator.correlate(occurrence('x', 299_000)), undefined);
  assert.notEqual(correlator.correlate(occurrence('x', 301_000)), undefined);
  assert.notEqual(correlator.correlate(occurrence('x', 0, { ...about, uid: 'u2' })), undefined);
});
