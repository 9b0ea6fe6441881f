import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { FakeClock, systemClock } from '../../base/clock.ts';
import { makeContainer, makeInstance, makePod, makeRuntime } from '../test-fixtures.ts';
import { ProbeManager } from './probe-manager.ts';
import { ProbeTally } from './probe-tally.ts';
import { type ProbeResult, runProbe } from './prober.ts';

const runtime = { execSync: () => Promise.reject(new Error('no runtime here')) };

test('thresholds count results in a row', () => {
  const tally = new ProbeTally({ success: 2, failure: 3 }, 'failure');
  const verdicts = ['success', 'success', 'failure', 'failure', 'success', 'failure', 'failure', 'failure'] as const;
  const seen = verdicts.map((verdict) => {
    tally.add(verdict);
    return tally.verdict;
  });
  assert.deepEqual(seen, ['failure', 'success', 'success', 'success', 'success', 'success', 'success', 'failure']);
});

interface World {
  readonly clock: FakeClock;
  readonly manager: ProbeManager;
  readonly probed: string[];
  readonly events: string[];
  readonly changes: string[];
  answer: ProbeResult['verdict'];
}

function world(): World {
  const clock = new FakeClock(0);
  const probed: string[] = [];
  const events: string[] = [];
  const changes: string[] = [];
  const self: { answer: ProbeResult['verdict'] } = { answer: 'success' };
  const manager = new ProbeManager({
    runtime,
    clock,
    events: { event: (_about, _type, reason, message) => events.push(`${reason} ${message}`) },
    onChange: (uid) => changes.push(uid),
    run: (_tools, probe) => {
      probed.push(`${clock.now() / 1000} ${probe.exec?.command?.[0]}`);
      return Promise.resolve({ verdict: self.answer, output: 'because' });
    },
  });
  return Object.assign(self, { clock, manager, probed, events, changes });
}

const exec = (name: string) => ({ exec: { command: [name] } });

test('liveness and readiness wait for the startup probe and then go by their periods', async () => {
  const app = makeContainer('app', {
    startupProbe: { ...exec('startup'), periodSeconds: 1, failureThreshold: 5 },
    livenessProbe: { ...exec('live'), periodSeconds: 10, failureThreshold: 2 },
    readinessProbe: { ...exec('ready'), periodSeconds: 5, initialDelaySeconds: 3 },
  });
  const pod = makePod({ spec: { containers: [app] } });
  const status = makeRuntime([makeInstance(app, 'running', { startedAt: 0 })]);
  const w = world();
  w.answer = 'failure';
  w.manager.sync(pod, status);
  assert.equal(w.manager.isStarted('app-0'), false);
  await w.clock.advance(2000);
  assert.deepEqual(w.probed, ['0 startup', '1 startup', '2 startup']);
  w.answer = 'success';
  await w.clock.advance(8000);
  assert.deepEqual(w.probed.slice(3), ['3 startup', '8 ready', '10 live']);
  assert.equal(w.manager.isReady('app-0'), true);
  assert.equal(w.manager.liveness('app-0'), 'success');
  w.answer = 'failure';
  await w.clock.advance(20_000);
  assert.equal(w.manager.liveness('app-0'), 'failure');
  assert.ok(w.events.includes('Unhealthy Liveness probe failed: because'));
  const lives = () => w.probed.filter((line) => line.endsWith(' live')).length;
  const before = lives();
  await w.clock.advance(30_000);
  assert.equal(lives(), before, 'a container that is to be restarted is not asked again');
  w.manager.forget('uid-1');
  const count = w.probed.length;
  await w.clock.advance(60_000);
  assert.equal(w.probed.length, count);
});

test('no probes, no timers; and a restarted kubelet trusts what the API says of a running container', async () => {
  const w = world();
  const plain = makeContainer('app');
  w.manager.sync(makePod(), makeRuntime([makeInstance(plain, 'running')]));
  await w.clock.advance(600_000);
  assert.deepEqual([w.probed, w.manager.isReady('app-0')], [[], true]);

  const app = makeContainer('app', { readinessProbe: exec('ready') });
  const told = {
    name: 'app',
    state: { running: { startedAt: null } },
    lastState: {},
    ready: true,
    restartCount: 0,
    image: '',
    imageID: '',
    containerID: 'containerd://app-0',
  };
  const pod = makePod({ spec: { containers: [app] }, status: { containerStatuses: [told] } });
  w.manager.sync(pod, makeRuntime([makeInstance(app, 'running')]));
  assert.equal(w.manager.isReady('app-0'), true);
  w.manager.stop();
});

test('HTTP and TCP probes', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/fine' }).end();
    else response.writeHead(request.url === '/fine' ? 200 : 500).end(request.headers['user-agent']);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const target = {
    container: makeContainer('app', { ports: [{ name: 'web', containerPort: port }] }),
    containerId: 'x',
    podIP: '127.0.0.1',
  };
  const tools = { runtime, clock: systemClock };
  const http = (path: string) => runProbe(tools, { httpGet: { port: 'web', path } }, target);
  try {
    assert.deepEqual(await http('/fine'), { verdict: 'success', output: 'kube-probe/1.36' });
    assert.equal((await http('/moved'))?.verdict, 'success');
    assert.deepEqual(await http('/bad'), { verdict: 'failure', output: 'HTTP probe failed with statuscode: 500' });
    assert.equal((await runProbe(tools, { tcpSocket: { port } }, target))?.verdict, 'success');
  } finally {
    server.closeAllConnections();
    server.close();
  }
  await new Promise((resolve) => server.once('close', resolve));
  const refused = `dial tcp 127.0.0.1:${port}: connect: connection refused`;
  assert.deepEqual(await runProbe(tools, { tcpSocket: { port } }, target), { verdict: 'failure', output: refused });
  const output = `Get "http://127.0.0.1:${port}/fine": ${refused}`;
  assert.deepEqual(await http('/fine'), { verdict: 'failure', output });
  assert.equal(await runProbe(tools, { exec: { command: ['x'] } }, target), undefined);
});
