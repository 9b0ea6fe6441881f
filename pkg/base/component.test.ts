import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Component, Supervisor } from './component.ts';
import { silentLogger } from './log.ts';

function component(name: string, calls: string[], ready: Promise<void> = Promise.resolve()): Component {
  return {
    name,
    start: async () => {
      calls.push(`start ${name}`);
    },
    ready: () => ready,
    stop: async () => {
      calls.push(`stop ${name}`);
    },
  };
}

test('components stop in the reverse order of their start', async () => {
  const calls: string[] = [];
  const supervisor = new Supervisor(silentLogger);
  await supervisor.start(component('a', calls));
  await supervisor.start(component('b', calls));
  await supervisor.stop();
  assert.deepEqual(calls, ['start a', 'start b', 'stop b', 'stop a']);
});

test('stopping goes before waiting for a component that never becomes ready, and nothing starts after it', async () => {
  const calls: string[] = [];
  const supervisor = new Supervisor(silentLogger);
  const starting = supervisor.start(component('a', calls, new Promise(() => {})));
  await new Promise(setImmediate);
  await supervisor.stop();
  await assert.rejects(starting, { name: 'AbortError' });
  await assert.rejects(supervisor.start(component('b', calls)), { name: 'AbortError' });
  assert.deepEqual(calls, ['start a', 'stop a']);
});
