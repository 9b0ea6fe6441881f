import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '../api/generated/core-v1.ts';
import { FakeClock } from '../base/clock.ts';
import { PodAdmission } from './pod-admission.ts';
import { makeContainer, makeNode, makePod } from './test-fixtures.ts';

const node = (cpu: string): Node => makeNode({ cpu, pods: '10' });

function pod(uid: string, cpu: string): Pod {
  const containers = [makeContainer('app', { resources: { requests: { cpu } } })];
  return makePod({ metadata: { uid }, spec: { containers } });
}

const { signal: SIGNAL } = new AbortController();

/** An admission of `all`, of which those count that were admitted. */
function admission(
  known: Node | undefined,
  fresh: Node,
  all: readonly Pod[],
): {
  it: PodAdmission;
  clock: FakeClock;
  asked: () => number;
} {
  let asked = 0;
  const clock = new FakeClock(1000);
  const it: PodAdmission = new PodAdmission({
    clock,
    node: () => known,
    freshNode: () => {
      asked += 1;
      return Promise.resolve(fresh);
    },
    others: (uid) => all.filter(({ metadata }) => metadata.uid !== uid && it.has(metadata.uid)),
  });
  return { it, clock, asked: () => asked };
}

test('of two that ask at once the first is let in', async () => {
  const pods = [pod('a', '600m'), pod('b', '600m'), pod('c', '400m')];
  const { it } = admission(node('1'), node('1'), pods);
  const refusals = await Promise.all(pods.map((each) => it.decide(each, SIGNAL)));
  assert.deepEqual(
    refusals.map((refusal) => refusal?.reason),
    [undefined, 'OutOfcpu', undefined],
  );
  assert.equal(it.has('b'), false, 'what is refused takes no room');
});

test('refusals are made with the newest node only', async () => {
  const { it, asked } = admission(node('1'), node('2'), []);
  assert.equal(await it.decide(pod('a', '2'), SIGNAL), undefined);
  assert.equal(asked(), 1);
  assert.equal(await it.decide(pod('b', '1'), SIGNAL), undefined);
  assert.equal(asked(), 1, 'nothing is asked for a Pod that fits');
});

test('a Pod that ran before is not judged again, but counts', async () => {
  const pods = [pod('old', '2'), pod('new', '1')];
  const { it } = admission(node('2'), node('2'), pods);
  it.keep('old');
  assert.equal(await it.decide(pod('old', '9'), SIGNAL), undefined);
  assert.equal((await it.decide(pod('new', '1'), SIGNAL))?.reason, 'OutOfcpu');
  it.forget('old');
  assert.equal(await it.decide(pod('new', '1'), SIGNAL), undefined);
});

test('without knowledge of the node nothing is decided', async () => {
  const { it } = admission(undefined, makeNode(), []);
  await assert.rejects(it.decide(pod('a', '1'), SIGNAL), /not known yet/);
});

test('after many refusals the next ones take their time, and may fit meanwhile', async () => {
  const old = pod('old', '1');
  const { it, clock, asked } = admission(node('1'), node('1'), [old]);
  it.keep('old');
  const decide = (index: number, signal = SIGNAL) => it.decide(pod(`new-${index}`, '1'), signal);
  const first = await Promise.all(Array.from({ length: 50 }, (_, index) => decide(index)));
  assert.deepEqual([...new Set(first.map((refusal) => refusal?.reason))], ['OutOfcpu']);
  const late = decide(50);
  const away = new AbortController();
  const gone = decide(51, away.signal);
  away.abort();
  assert.equal(await gone, undefined, 'nobody waits for a Pod that is gone');
  assert.equal(it.has('new-51'), false);
  assert.equal(asked(), 50);
  it.forget('old');
  await clock.advance(500);
  assert.equal(await late, undefined);
  assert.equal(it.has('new-50'), true);
});
