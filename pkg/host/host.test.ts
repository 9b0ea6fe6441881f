import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { planCgroups } from './cgroups.ts';
import { ExecError, exec } from './exec.ts';
import { mountsBelow, parseMountInfo } from './mounts.ts';
import {
  isOfThisMachine,
  parseProcessStat,
  readArguments,
  readProcess,
  sendSignal,
  withDescendants,
} from './processes.ts';

const V1 = `25 30 0:22 / /sys rw - sysfs sysfs rw
31 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro
33 31 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
35 31 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`;
const V2 = '31 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n';

test('cgroup v1 and v2 are told apart, and the driver follows', () => {
  const v1 = planCgroups({ mountInfo: V1, rootControllers: undefined, systemdBooted: true });
  assert.deepEqual([v1.version, v1.driver, [...v1.controllers]], [1, 'cgroupfs', ['cpu', 'cpuacct', 'memory']]);
  const v2 = planCgroups({ mountInfo: V2, rootControllers: 'cpuset cpu memory pids\n', systemdBooted: true });
  assert.deepEqual([v2.version, v2.driver, v2.controllers.has('pids')], [2, 'systemd', true]);
  assert.equal(planCgroups({ mountInfo: V2, rootControllers: '', systemdBooted: false }).driver, 'cgroupfs');
});

test('mount points are unescaped and listed deepest first', () => {
  const entries = parseMountInfo(
    '1 0 0:1 / /run/a rw - tmpfs t rw\n2 1 0:2 / /run/a/b\\040c rw - tmpfs t rw\n3 1 0:3 / /run/ab rw - tmpfs t rw\n',
  );
  assert.deepEqual(mountsBelow(entries, '/run'), ['/run/ab', '/run/a/b c', '/run/a']);
  assert.deepEqual(mountsBelow(entries, '/run/a'), ['/run/a/b c']);
});

test('a process is read from /proc, whatever its name', async () => {
  const rest = 'S 7 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 4242 1 1';
  assert.deepEqual(parseProcessStat(`12 (a) b (c)) ${rest}`), { pid: 12, parent: 7, state: 'S', startTime: 4242 });
  assert.equal(parseProcessStat(''), undefined);
  assert.equal((await readProcess(process.pid))?.parent, process.ppid);
  assert.equal((await readArguments(process.pid)).at(0), process.argv0);
  assert.equal(await readProcess(2 ** 22 + 1), undefined);
  assert.equal(sendSignal(2 ** 22 + 1, 'SIGTERM'), false);
  assert.equal(await isOfThisMachine(process.pid), true);
  assert.equal(await isOfThisMachine(2 ** 22 + 1), false);
});

test('descendants of a process', () => {
  const info = (pid: number, parent: number) => ({ pid, parent, state: 'S', startTime: 0 });
  const tree = [info(1, 0), info(2, 1), info(3, 2), info(4, 3), info(5, 1)];
  assert.deepEqual([...withDescendants(tree, new Set([2]))], [2, 3, 4]);
});

test('exec: output, input, failure, missing program, time limit', async () => {
  assert.equal(await exec(['cat'], { input: 'hello' }), 'hello');
  assert.equal(await exec(['cat']), '');
  assert.equal(await exec(['cat'], { input: [Readable.from(['he', 'llo'])] }), 'hello');
  assert.equal(await exec(['true'], { input: 'x'.repeat(1_000_000) }), '');
  const broken = Readable.from(
    (async function* () {
      yield 'x';
      throw new Error('disk on fire');
    })(),
  );
  await assert.rejects(exec(['cat'], { input: [broken] }), /its input failed/);
  await assert.rejects(exec(['ls', '/nonexistent']), (error) => {
    return error instanceof ExecError && error.exitCode === 2 && /No such file/.test(error.message) && !error.notFound;
  });
  await assert.rejects(exec(['kedge-no-such-program']), (error) => error instanceof ExecError && error.notFound);
  await assert.rejects(exec(['sleep', '10'], { timeoutMs: 50 }), /killed by SIGKILL/);
});
