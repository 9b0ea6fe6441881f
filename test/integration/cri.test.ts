import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { BUSYBOX_IMAGE, busyboxArchive } from '../../packaging/images/busybox.ts';
import { buildPause } from '../../packaging/pause/build.ts';
import { Containerd } from '../../pkg/agent/containerd.ts';
import { ImageImporter } from '../../pkg/agent/images.ts';
import { PAUSE_IMAGE } from '../../pkg/agent/pause-image.ts';
import { teardown } from '../../pkg/agent/teardown.ts';
import { createLogger } from '../../pkg/base/log.ts';
import { pathsFor } from '../../pkg/base/paths.ts';
import type { ContainerEvent } from '../../pkg/cri/services.ts';
import { exec } from '../../pkg/host/exec.ts';
import { readMounts } from '../../pkg/host/mounts.ts';
import { listProcesses, readArguments } from '../../pkg/host/processes.ts';

/** Another containerd than the system's: a folder with containerd, ctr and the shim. */
const programDirs = (process.env['KEDGE_TEST_CONTAINERD'] ?? '').split(':').filter((dir) => dir !== '');
const base = mkdtempSync(join(tmpdir(), 'kedge-cri-'));
const dataDir = join(base, 'data');
const runDir = join(base, 'run');
const tag = `kt${process.pid % 100000}`;
const lines: string[] = [];
const log = createLogger({ level: 'debug', write: (line) => lines.push(line), now: () => new Date() });
const stop = new AbortController();
const options = { dataDir, runDir, log, programDirs };
let containerd = new Containerd(options);
let importer: ImageImporter;
let sandboxId = '';
let containerId = '';

const podConfig = {
  metadata: { name: 'pod', namespace: 'default', uid: 'uid-1', attempt: 0 },
  hostname: 'pod',
  logDirectory: join(base, 'logs'),
  linux: { cgroupParent: `/${tag}`, securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER' } } },
} as const;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const limit = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > limit) assert.fail(`${what}\n${lines.join('')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function writeCniConf(): void {
  const conf = {
    cniVersion: '1.0.0',
    name: tag,
    plugins: [
      {
        type: 'bridge',
        bridge: tag,
        isGateway: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: '10.213.77.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
  mkdirSync(pathsFor(dataDir).cniConf, { recursive: true });
  writeFileSync(join(pathsFor(dataDir).cniConf, '10-test.conflist'), JSON.stringify(conf));
}

async function runContainer(name: string, script: string): Promise<string> {
  const { runtime } = containerd.client;
  const { containerId: id } = await runtime.createContainer({
    podSandboxId: sandboxId,
    sandboxConfig: podConfig,
    config: {
      metadata: { name, attempt: 0 },
      image: { image: BUSYBOX_IMAGE },
      command: ['sh', '-c', script],
      logPath: `${name}.log`,
      labels: { 'io.kubernetes.container.name': name },
      linux: { resources: { memoryLimitInBytes: 64 * 1024 * 1024 } },
    },
  });
  await runtime.startContainer({ containerId: id });
  return id;
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await containerd.client.runtime.containerStatus({ containerId: id })).status?.state;
}

function removeAll(): Promise<void> {
  const nftTables = [{ family: 'inet', name: tag } as const];
  return teardown({ dataDir, runDir, log, networkDevices: [tag], cniNetworks: [tag], cgroups: [tag], nftTables });
}

// A suite, because its after hook is waited for even when the process is to end with its last test.
describe('containerd over CRI', () => {
  before(async () => {
    buildPause();
    writeCniConf();
    mkdirSync(pathsFor(dataDir).images, { recursive: true });
    writeFileSync(join(pathsFor(dataDir).images, 'busybox.tar'), busyboxArchive());
    writeFileSync(join(pathsFor(dataDir).images, 'broken.tar'), 'this is not a tar archive'.repeat(100));
  });

  after(async () => {
    stop.abort();
    await importer?.stop();
    await containerd.stop();
    await removeAll();
    rmSync(base, { recursive: true, force: true });
  });

  test('containerd starts, and images come from the folder', async () => {
    await containerd.start(stop.signal);
    const version = await containerd.client.runtime.version({});
    assert.equal(version.runtimeName, 'containerd');
    assert.equal(version.runtimeApiVersion, 'v1');
    importer = new ImageImporter({ dataDir, containerd, log });
    await importer.start();
    await importer.settled();
    const { images } = await containerd.client.images.listImages({});
    assert.deepEqual(images.flatMap((image) => image.repoTags).sort(), [PAUSE_IMAGE, BUSYBOX_IMAGE].sort());
    assert.deepEqual(importer.keptImages(), new Set([PAUSE_IMAGE, BUSYBOX_IMAGE]));
    const complaints = lines.filter((line) => line.includes('broken.tar'));
    assert.equal(complaints.length, 1, lines.join(''));
    assert.match(complaints[0] ?? '', /not a tar archive/);
  });

  test('a sandbox with a network, a container in it, its output, an exec, events', async () => {
    const { runtime } = containerd.client;
    await until('the network is ready', async () => {
      const { status } = await runtime.status({});
      return status?.conditions.every((condition) => condition.status) ?? false;
    });
    const events: ContainerEvent[] = [];
    const watching = new AbortController();
    const opened = Promise.withResolvers<void>();
    const consumed = (async () => {
      const stream = runtime.containerEvents({ signal: watching.signal, onOpen: opened.resolve });
      for await (const event of stream) {
        events.push(event);
        // What an event says is what the runtime answers from then on.
        if (event.type === 'stopped') assert.equal(await stateOf(event.containerId), 'CONTAINER_EXITED');
      }
    })();
    await opened.promise;
    ({ podSandboxId: sandboxId } = await runtime.runPodSandbox({ config: podConfig }));
    const { status } = await runtime.podSandboxStatus({ podSandboxId: sandboxId });
    assert.equal(status?.state, 'SANDBOX_READY');
    assert.match(status?.network?.ip ?? '', /^10\.213\.77\.\d+$/);
    containerId = await runContainer('main', 'echo hello; echo oops >&2; while :; do sleep 1; done');
    await until('output is logged', () => {
      const text = readFileSync(join(base, 'logs', 'main.log'), 'utf8');
      return / stdout F hello\n/.test(text) && / stderr F oops\n/.test(text);
    });
    const inside = await runtime.execSync({
      containerId,
      cmd: ['sh', '-c', 'ip -o addr show eth0; exit 3'],
      timeout: 10,
    });
    assert.equal(inside.exitCode, 3);
    assert.match(Buffer.from(inside.stdout).toString('utf8'), new RegExp(status?.network?.ip ?? 'no ip'));
    const short = await runContainer('short', 'exit 7');
    await until('the exit is told', () =>
      events.some(({ containerId, type }) => containerId === short && type === 'stopped'),
    );
    const exited = (await runtime.containerStatus({ containerId: short })).status;
    assert.equal(exited?.exitCode, 7);
    assert.ok((exited?.finishedAt ?? 0n) > (exited?.createdAt ?? 0n));
    const big = await runContainer('big', 'x=x; while :; do x=$x$x; done');
    await until('so is that of the memory hog', () =>
      events.some(({ containerId: id, type }) => id === big && type === 'stopped'),
    );
    assert.equal((await runtime.containerStatus({ containerId: big })).status?.reason, 'OOMKilled');
    for (const id of [short, big]) await runtime.removeContainer({ containerId: id });
    const types = events.filter((event) => event.containerId === containerId).map((event) => event.type);
    assert.deepEqual(types, ['created', 'started']);
    watching.abort();
    await consumed;
    const { stats } = await runtime.containerStats({ containerId });
    assert.ok((stats?.memory?.workingSetBytes?.value ?? 0) > 0);
    await assert.rejects(runtime.containerStatus({ containerId: 'nonesuch' }), { code: 'NOT_FOUND' });
    const filesystems = (await containerd.client.images.imageFsInfo({})).imageFilesystems;
    assert.match(filesystems[0]?.fsId?.mountpoint ?? '', /snapshotter/);
  });

  test('archives that appear while running are imported: gzip, zstd', async () => {
    const folder = pathsFor(dataDir).images;
    writeFileSync(join(folder, 'one.tar.gz'), gzipSync(busyboxArchive('kedge.dev/test/one:1')));
    writeFileSync(join(folder, 'two.tar.zst'), zstdCompressSync(busyboxArchive('two:1')));
    const isThere = async (image: string): Promise<boolean> =>
      (await containerd.client.images.imageStatus({ image: { image } })).image !== undefined;
    await until('both images', async () => (await isThere('kedge.dev/test/one:1')) && (await isThere('two:1')));
    await importer.settled();
    await importer.stop();
    lines.length = 0;
    importer = new ImageImporter({ dataDir, containerd, log });
    await importer.start();
    await importer.settled();
    assert.deepEqual(
      lines.filter((line) => line.includes('msg=imported')),
      [],
      'what is there is not imported again',
    );
  });

  test('kedge goes and comes back: it adopts containerd, and the container never stops', async () => {
    const { pid } = containerd;
    const begun = (await containerd.client.runtime.containerStatus({ containerId })).status?.startedAt;
    await importer.stop();
    await containerd.stop();
    containerd = new Containerd(options);
    await containerd.start(stop.signal);
    assert.equal(containerd.pid, pid);

    process.kill(pid, 'SIGKILL');
    await until('containerd is started again', () => containerd.pid !== pid);
    await until('it answers', () => stateOf(containerId).then(Boolean, () => false));
    assert.equal(await stateOf(containerId), 'CONTAINER_RUNNING');

    const killed = containerd.pid;
    await containerd.stop();
    const record = JSON.parse(readFileSync(join(runDir, 'containerd.json'), 'utf8'));
    writeFileSync(join(runDir, 'containerd.json'), JSON.stringify({ ...record, mark: 'of an older kedge' }));
    containerd = new Containerd(options);
    await containerd.start(stop.signal);
    assert.notEqual(containerd.pid, killed);
    assert.equal(await stateOf(containerId), 'CONTAINER_RUNNING');
    assert.equal((await containerd.client.runtime.containerStatus({ containerId })).status?.startedAt, begun);
    assert.equal((await containerd.client.runtime.execSync({ containerId, cmd: ['true'] })).exitCode, 0);
  });

  for (const mode of ['with containerd running', 'with containerd dead'] as const) {
    test(`teardown leaves nothing: ${mode}`, async () => {
      if (mode === 'with containerd dead') {
        containerd = new Containerd(options);
        await containerd.start(stop.signal);
        const conf = { ...podConfig, metadata: { ...podConfig.metadata, attempt: 1 } };
        ({ podSandboxId: sandboxId } = await containerd.client.runtime.runPodSandbox({ config: conf }));
        containerId = await runContainer('again', 'while :; do sleep 1; done');
      }
      const { pid } = containerd;
      await containerd.stop();
      await exec(['nft', 'add', 'table', 'inet', tag]);
      if (mode === 'with containerd dead') process.kill(pid, 'SIGKILL');
      const bundle = join(runDir, 'containerd/io.containerd.runtime.v2.task/k8s.io', sandboxId);
      const address = ['address', 'bootstrap.json'].map((name) => join(bundle, name)).find((path) => existsSync(path));
      const [, shimSocket = ''] = /unix:\/\/([^"\s]+)/.exec(readFileSync(address ?? '', 'utf8')) ?? [];
      assert.ok(existsSync(shimSocket), shimSocket);
      await removeAll();
      const left: string[] = [];
      for (const mount of await readMounts()) if (mount.mountPoint.startsWith(base)) left.push(mount.mountPoint);
      for (const info of await listProcesses()) {
        const args = (await readArguments(info.pid)).join(' ');
        if (args.includes(base) || args.includes(containerId)) left.push(args);
      }
      for (const path of [runDir, shimSocket, `/sys/class/net/${tag}`, `/var/lib/cni/networks/${tag}`]) {
        if (existsSync(path)) left.push(path);
      }
      const cached = existsSync('/var/lib/cni/results') ? readdirSync('/var/lib/cni/results') : [];
      left.push(...cached.filter((file) => file.includes(sandboxId)));
      for (const top of readdirSync('/sys/fs/cgroup')) {
        if (existsSync(join('/sys/fs/cgroup', top, tag))) left.push(join(top, tag));
      }
      if ((await exec(['nft', 'list', 'tables'])).includes(tag)) left.push('nft table');
      assert.deepEqual(left, []);
      await removeAll();
    });
  }
});
