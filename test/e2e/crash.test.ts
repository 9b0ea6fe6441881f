import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pathsFor, RUN_DIR } from '../../pkg/base/paths.ts';
import { listProcesses, readArguments, readCgroups } from '../../pkg/host/processes.ts';
import { deployment, pod, SERVE_HOSTNAME, service, shell } from './lib/manifests.ts';
import { Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';
import { useKedge } from './lib/use-kedge.ts';

const POD_COUNT = 3;
const WRITERS = 4;
const TASK_DIR = join(RUN_DIR, 'containerd/io.containerd.runtime.v2.task/k8s.io');
const CGROUP_ROOT = '/sys/fs/cgroup';
/** What containerd has lost is looked for some time after a start. */
const WAIT = { timeoutMs: 90_000 };
const NETNS_DIR = join(RUN_DIR, 'containerd/io.containerd.grpc.v1.cri/netns');

/** What is to be the same after kedge or containerd has gone and come back. */
interface PodState {
  readonly name: string;
  readonly ip: string;
  readonly containerID: string;
  readonly restarts: number;
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
    readonly status: {
      readonly podIP: string;
      readonly phase: string;
      readonly containerStatuses?: readonly {
        readonly containerID: string;
        readonly restartCount: number;
        readonly ready: boolean;
      }[];
    };
  }[];
}

/** The tests go one after another: each takes the cluster as the one before has left it. */
describe('kedge goes, Pods stay', () => {
  const kedge = useKedge();
  let ns: Namespace;
  let url: string;
  /** How often kedge has been started. */
  let starts = 1;

  before(async () => {
    ns = await Namespace.create(kedge(), 'crash');
    await ns.apply(service('web', 'web'), deployment('web', POD_COUNT, SERVE_HOSTNAME));
    url = `http://${await ns.read('service/web', '.spec.clusterIP')}/`;
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    // Asks through the Service without a pause, and notes each answer, and each failure.
    const script = `while :; do wget -qO- ${url} >>/host/answers 2>/dev/null || echo failed >>/host/answers; sleep 0.1; done`;
    const client = shell('main', script, { volumeMounts: [{ name: 'host', mountPath: '/host' }] });
    const volumes = [{ name: 'host', hostPath: { path: kedge().folder } }];
    await ns.apply(pod('client', { containers: [client], volumes }));
    await ns.waitReady('client');
    await serves();
  });

  function ask(): Promise<string> {
    return fetch(url, { signal: AbortSignal.timeout(10_000), headers: { connection: 'close' } })
      .then((answer) => answer.text())
      .then((text) => text.trim());
  }

  /** Waits until all Pods of the Deployment have answered through the Service. */
  async function serves(): Promise<void> {
    const answers = new Set<string>();
    await until('every Pod answers', async () => answers.add(await ask()).size >= POD_COUNT, { intervalMs: 10 });
  }

  /** Asks through the Service from the host during `work`: nothing may fail. */
  async function whileServing(work: () => Promise<void>): Promise<void> {
    const working = { done: false };
    const asking = (async () => {
      let asked = 0;
      for (; !working.done; asked++) {
        assert.match(await ask(), /^web-/);
        await delay(20);
      }
      return asked;
    })();
    try {
      await Promise.race([work(), asking]);
    } finally {
      working.done = true;
    }
    assert.ok((await asking) > 10, 'the Service was asked all the time');
  }

  function clientAnswers(): string[] {
    return readFileSync(join(kedge().folder, 'answers'), 'utf8').trim().split('\n');
  }

  async function pods(selector = ''): Promise<PodList['items']> {
    return (JSON.parse(await ns.kubectl('get', 'pods', '-l', selector, '-o', 'json')) as PodList).items;
  }

  async function states(): Promise<PodState[]> {
    return (await pods()).map(({ metadata, status }) => ({
      name: metadata.name,
      ip: status.podIP,
      containerID: status.containerStatuses?.[0]?.containerID ?? '',
      restarts: status.containerStatuses?.[0]?.restartCount ?? -1,
    }));
  }

  /** Starts kedge again and says when the API answered; waits until the node has started too. */
  async function startAgain(t: TestContext): Promise<void> {
    const begun = performance.now();
    await kedge().restart({ wait: false });
    await until(
      'the API answers',
      async () => (await kedge().tryKubectl(['get', 'namespaces', '-o', 'name'])).code === 0,
      { intervalMs: 20 },
    );
    // How quick it is on a quiet machine, `npm run bench` says.
    t.diagnostic(`the API answers after ${Math.round(performance.now() - begun)} ms`);
    starts += 1;
    await until('all parts run', () => kedge().log.split('kedge server is ready').length > starts);
  }

  async function assertSamePods(before: readonly PodState[]): Promise<void> {
    // Past the kubelet's first look at everything.
    await delay(1500);
    assert.deepEqual(await states(), before);
    assert.ok(before.every(({ restarts }) => restarts === 0));
    await ns.kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=120s');
    assert.equal(await ns.read('deployment/web', '.status.readyReplicas'), String(POD_COUNT));
    assert.equal(await ns.kubectl('exec', 'client', '--', 'echo', 'works'), 'works');
  }

  test('killed: Pods serve on, and are the same afterwards', async (t) => {
    const before = await states();
    await whileServing(async () => {
      await kedge().stop('SIGKILL');
      const answers = clientAnswers().length;
      await until('Pods reach one another through the Service', () => clientAnswers().length > answers + 5);
      await startAgain(t);
      await assertSamePods(before);
    });
    assert.ok(!clientAnswers().includes('failed'));
  });

  test('asked to end: likewise', async (t) => {
    const before = await states();
    await whileServing(async () => {
      const begun = performance.now();
      await kedge().stop('SIGTERM');
      t.diagnostic(`ended after ${Math.round(performance.now() - begun)} ms`);
      await delay(500);
      await startAgain(t);
      await assertSamePods(before);
    });
    assert.ok(!clientAnswers().includes('failed'));
  });

  test('killed while it is written to: what was acknowledged is there', async (t) => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round++) {
      const write = async (writer: number): Promise<void> => {
        for (let step = 0; ; step++) {
          const name = `write-${round}-${writer}-${step}`;
          const result = await ns.tryKubectl('create', 'configmap', name, `--from-literal=value=${name}`);
          if (result.code !== 0) return;
          acknowledged.push(name);
        }
      };
      const writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
      const before = acknowledged.length;
      await until('some writes are acknowledged', () => acknowledged.length > before + WRITERS);
      await delay(Math.random() * 1000);
      await kedge().stop('SIGKILL');
      await writing;
      await startAgain(t);
    }
    const lines = await ns.kubectl(
      'get',
      'configmaps',
      '-o',
      'jsonpath={range .items[*]}{.metadata.name}={.data.value}{"\\n"}{end}',
    );
    const found = new Set(lines.split('\n'));
    t.diagnostic(`${acknowledged.length} writes acknowledged`);
    assert.deepEqual(
      acknowledged.filter((name) => !found.has(`${name}=${name}`)),
      [],
    );
  });

  /** containerd as kedge has started it. */
  async function containerdPid(): Promise<number | undefined> {
    const { containerdConfig } = pathsFor(kedge().dataDir);
    for (const { pid, state } of await listProcesses()) {
      if (state !== 'Z' && (await readArguments(pid)).includes(containerdConfig)) return pid;
    }
    return undefined;
  }

  test('containerd killed: kedge starts another, Pods notice nothing', async () => {
    const before = await states();
    const killed = await containerdPid();
    assert.ok(killed !== undefined);
    await whileServing(async () => {
      process.kill(killed, 'SIGKILL');
      const pid = await until('there is another containerd', containerdPid);
      assert.notEqual(pid, killed);
      await until('exec works again', async () => (await ns.tryKubectl('exec', 'client', '--', 'true')).code === 0);
      await assertSamePods(before);
    });
    assert.ok(!clientAnswers().includes('failed'));
    await ns.kubectl('run', 'after', '--image=kedge.dev/test/busybox:1', '--restart=Never', '--', 'true');
    await ns.waitFor('pod/after', '.status.phase', 'Succeeded');
    await ns.kubectl('delete', 'pod', 'after');
  });

  test('both killed at once', async (t) => {
    const before = await states();
    const pid = await containerdPid();
    assert.ok(pid !== undefined);
    await whileServing(async () => {
      const stopped = kedge().stop('SIGKILL');
      process.kill(pid, 'SIGKILL');
      await stopped;
      await startAgain(t);
      await assertSamePods(before);
    });
  });

  /** Kills every process of a container. */
  async function killContainer(containerID: string): Promise<void> {
    const id = containerID.replace(/^.*:\/\//, '');
    let killed = 0;
    for (const { pid } of await listProcesses()) {
      if (![...(await readCgroups(pid)).values()].some((path) => path.includes(id))) continue;
      process.kill(pid, 'SIGKILL');
      killed += 1;
    }
    assert.ok(killed > 0, `container ${id} had processes`);
  }

  test('what died meanwhile is started again', async (t) => {
    const before = await states();
    const victim = before.find(({ name }) => name.startsWith('web-'));
    assert.ok(victim !== undefined);
    await kedge().stop('SIGKILL');
    await killContainer(victim.containerID);
    await startAgain(t);
    await ns.waitFor(`pod/${victim.name}`, '.status.containerStatuses[0].restartCount', '1');
    await ns.waitReady(victim.name);
    const after = await states();
    const again = after.find(({ name }) => name === victim.name);
    assert.equal(again?.restarts, 1);
    assert.equal(again?.ip, victim.ip);
    assert.notEqual(again?.containerID, victim.containerID);
    const others = (list: readonly PodState[]): PodState[] => list.filter(({ name }) => name !== victim.name);
    assert.deepEqual(others(after), others(before));
    await serves();
  });

  test('what is left of a start that was broken off is removed, with its process and its mount', async (t) => {
    const id = randomBytes(32).toString('hex');
    const bundle = join(TASK_DIR, id);
    const cgroup = join(CGROUP_ROOT, existsSync(join(CGROUP_ROOT, 'pids')) ? 'pids' : '', id);
    await kedge().stop('SIGKILL');
    mkdirSync(join(bundle, 'rootfs'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'lost', join(bundle, 'rootfs')]);
    mkdirSync(cgroup);
    const lost = spawn('sleep', ['300'], { stdio: 'ignore' });
    const ended = once(lost, 'exit');
    writeFileSync(join(cgroup, 'cgroup.procs'), `${lost.pid}`);
    await startAgain(t);
    await until('the bundle is gone', () => !existsSync(bundle), WAIT);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(id), 'nothing of it is mounted');
    assert.ok(!existsSync(cgroup), 'its cgroup is gone');
    await serves();
  });

  test('killed while Pods come and go: in the end there are as many as there should be, and no remains', async (t) => {
    for (const replicas of [7, 2, 6, 1, 8, POD_COUNT]) {
      await ns.kubectl('scale', 'deployment/web', `--replicas=${replicas}`);
      await delay(Math.random() * 800);
      await kedge().stop('SIGKILL');
      await startAgain(t);
    }
    await until('the Pods are as many as they should be', async () => {
      const found = await pods('app=web');
      const ready = found.filter(({ status }) => status.containerStatuses?.[0]?.ready === true);
      return found.length === POD_COUNT && ready.length === POD_COUNT;
    });
    await serves();
    // The client has a network namespace as well.
    const expected = POD_COUNT + 1;
    await until('no network namespace is left over', () => readdirSync(NETNS_DIR).length === expected, WAIT);
    const { kubelet } = pathsFor(kedge().dataDir);
    await until('no folder is left over', () => readdirSync(join(kubelet, 'pods')).length === expected, WAIT);
    // The sandbox and the one container of each Pod.
    await until('no task is left over', () => readdirSync(TASK_DIR).length === 2 * expected, WAIT);
  });
});
