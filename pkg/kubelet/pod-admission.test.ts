import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '../api/generated/core-v1.ts';
import { PodAdmission } from './pod-admission.ts';
import { makeContainer, makeNode, makePod } from './test-fixtures.ts';

const node = (cpu: string): Node => makeNode({ cpu, pods: '10' });

function pod(uid: string, cpu: string): Pod {
  const containers = [makeContainer('app', { resources: { requests: { cpu } } })];
  return makePod({ metadata: { uid }, spec: { containers } });
}

/** An admission of `all`, of which those count that were admitted. */
function admission(
  known: Node | undefined,
  fresh: Node,
  all: readonly Pod[],
): { it: PodAdmission; asked: () => number } {
  let asked = 0;
  const it: PodAdmission = new PodAdmission({
    node: () => known,
    freshNode: () => {
      asked += 1;
      return Promise.resolve(fresh);
    },
    others: (uid) => all.filter(({ metadata }) => metadata.uid !== uid && it.has(metadata.uid)),
  });
  return { it, asked: () => asked };
}

test('of two that ask at once the first is let in', async () => {
  const pods = [pod('a', '600m'), pod('b', '600m'), pod('c', '400m')];
  const { it } = admission(node('1'), node('1'), pods);
  const refusals = await Promise.all(pods.map((each) => it.decide(each)));
  assert.deepEqual(
    refusals.map((refusal) => refusal?.reason),
    [undefined, 'OutOfcpu', undefined],
  );
  assert.equal(it.has('b'), false, 'what is refused takes no room');
});

test('refusals are made with the newest node only', async () => {
  const { it, asked } = admission(node('1'), node('2'), []);
  assert.equal(await it.decide(pod('a', '2')), undefined);
  assert.equal(asked(), 1);
  assert.equal(await it.decide(pod('b', '1')), undefined);
  assert.equal(asked(), 1, 'nothing is asked for a Pod that fits');
});

test('a Pod that ran before is not judged again, but counts', async () => {
  const pods = [pod('old', '2'), pod('new', '1')];
  const { it } = admission(node('2'), node('2'), pods);
  it.keep('old');
  assert.equal(await it.decide(pod('old', '9')), undefined);
  assert.equal((await it.decide(pod('new', '1')))?.reason, 'OutOfcpu');
  it.forget('old');
  assert.equal(await it.decide(pod('new', '1')), undefined);
});

test('without knowledge of the node nothing is decided', async () => {
  const { it } = admission(undefined, makeNode(), []);
  await assert.rejects(it.decide(pod('a', '1')), /not known yet/);
});
