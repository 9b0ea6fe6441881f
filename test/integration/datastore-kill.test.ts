import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LibsqlDatastore } from '../../pkg/datastore/libsql/libsql-datastore.ts';
import { openTestDatastore, temporaryDirectory } from '../../pkg/datastore/libsql/testing.ts';
import { text } from '../../pkg/datastore/testing/values.ts';
import { LAZY_WRITERS, stepOf, WRITERS } from './datastore-kill-plan.ts';

const ROUNDS = 55;
const CHILD = new URL('./datastore-kill-child.ts', import.meta.url).pathname;

interface Ack {
  readonly writer: number;
  readonly step: number;
  readonly revision: number;
}

/** Runs the child for about `ms` milliseconds (from its start, or from its first write), kills it, reads what it said. */
async function liveAndDie(path: string, steps: readonly number[], fromStart: boolean, ms: number): Promise<string[]> {
  const child: ChildProcess = spawn(process.execPath, [CHILD, path, JSON.stringify(steps)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let armed = fromStart;
  const kill = (): void => {
    setTimeout(() => child.kill('SIGKILL'), ms);
  };
  if (fromStart) kill();
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    if (!armed) {
      armed = true;
      kill();
    }
  });
  const [, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL');
  // A last line without its end was not acknowledged.
  return output.split('\n').slice(0, -1);
}

/** Asserts that each durable write acknowledged after revision `opened` is in the log at its revision with its value. */
async function assertLogged(store: LibsqlDatastore, opened: number, acks: readonly Ack[]): Promise<void> {
  const events = await store.since('/kill/', opened, Number.MAX_SAFE_INTEGER);
  const logged = new Map(events.map((event) => [event.kv.modRevision, event]));
  for (const { writer, step, revision } of acks) {
    const event = logged.get(revision);
    const { verb, key, value } = stepOf(writer, step);
    assert.ok(event !== undefined, `step ${step} of writer ${writer} at revision ${revision} is lost`);
    assert.deepEqual([event.type, event.kv.key], [verb === 'put' ? 'PUT' : 'DELETE', key]);
    if (verb === 'put') assert.equal(text(event.kv.value), text(value));
  }
}

/** Asserts that each durable writer's key is as its last acknowledged step, or one that was under way, left it. */
async function assertCurrent(store: LibsqlDatastore, last: ReadonlyMap<number, Ack>): Promise<void> {
  const current = new Map((await store.list('/kill/')).kvs.map((kv) => [kv.key, kv]));
  for (const { writer, step, revision } of last.values()) {
    const key = stepOf(writer, step).key;
    const found = current.get(key);
    // A deletion that was made but not acknowledged is not made again by the writer's next life, so it never is.
    const reach = stepOf(writer, step + 1).verb === 'delete' ? 2 : 1;
    const allowed = Array.from({ length: reach + 1 }, (_, ahead) => {
      const { verb, value } = stepOf(writer, step + ahead);
      return verb === 'put' ? text(value) : undefined;
    });
    assert.ok(allowed.includes(text(found?.value)), `${key} is ${text(found?.value)?.slice(0, 20)} after step ${step}`);
    if (found !== undefined && text(found.value) === allowed[0]) assert.equal(found.modRevision, revision);
  }
}

test(`every acknowledged write survives kill -9, ${ROUNDS} times`, async (t) => {
  const path = join(temporaryDirectory(t), 'state.db');
  const steps: number[] = Array.from({ length: WRITERS }, () => 0);
  const last = new Map<number, Ack>();
  let highest = 0;
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const fromStart = round % 5 === 4;
    const lines = await liveAndDie(path, steps, fromStart, Math.random() * (fromStart ? 300 : 120));
    const durable: Ack[] = [];
    const before = highest;
    let opened = 0;
    for (const line of lines) {
      const [writer, step, revision] = line.split(' ').map(Number);
      if (line.startsWith('open')) {
        opened = Number(line.slice(5));
        assert.ok(opened >= before, `${line} after revision ${before} was given out`);
        continue;
      }
      assert.ok(writer !== undefined && step !== undefined && revision !== undefined);
      assert.ok(revision > before, `revision ${revision} was given out again, after ${before}`);
      highest = Math.max(highest, revision);
      steps[writer] = step + 1;
      if (writer < LAZY_WRITERS) continue;
      durable.push({ writer, step, revision });
      last.set(writer, { writer, step, revision });
    }
    acknowledged += durable.length;
    // Every few rounds the next process is the one that recovers, not this one.
    if (round % 4 === 3 || durable.length === 0) continue;
    const store = await openTestDatastore(t, { path });
    assert.ok(store.revision >= highest);
    await assertLogged(store, opened, durable);
    await assertCurrent(store, last);
    await store.close();
  }
  t.diagnostic(`${acknowledged} durable writes acknowledged, newest revision ${highest}`);
  assert.ok(acknowledged > ROUNDS);
});
