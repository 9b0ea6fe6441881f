/** Real kubectl and a real containerd: exec, attach, cp and port-forward on a Pod with an address of its own. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { BUSYBOX_IMAGE, busyboxArchive } from '../../../packaging/images/busybox.ts';
import { buildPause } from '../../../packaging/pause/build.ts';
import { Containerd } from '../../../pkg/agent/containerd.ts';
import { ImageImporter } from '../../../pkg/agent/images.ts';
import { teardown } from '../../../pkg/agent/teardown.ts';
import { createLogger } from '../../../pkg/base/log.ts';
import { pathsFor } from '../../../pkg/base/paths.ts';
import { type FakeCluster, startFakeCluster } from './fake-cluster.ts';
import { kubectlRunners, until, wait } from './kubectl-runner.ts';

/** Another containerd than the system's: a folder with containerd, ctr and the shim. */
const programDirs = (process.env['KEDGE_TEST_CONTAINERD'] ?? '').split(':').filter((dir) => dir !== '');
const base = mkdtempSync(join(tmpdir(), 'kedge-streaming-cri-'));
const dataDir = join(base, 'data');
const runDir = join(base, 'run');
const tag = `ks${process.pid % 100000}`;
const lines: string[] = [];
const log = createLogger({ level: 'debug', write: (line) => lines.push(line), now: () => new Date() });
const stop = new AbortController();
const containerd = new Containerd({ dataDir, runDir, log, programDirs });

const podConfig = {
  metadata: { name: 'web', namespace: 'default', uid: 'uid-1', attempt: 0 },
  hostname: 'web',
  logDirectory: join(base, 'logs'),
  linux: { cgroupParent: `/${tag}`, securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER' } } },
} as const;
let cluster: FakeCluster;
let sandboxId = '';
let mainId = '';

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function startContainer(name: string, script: string, stdin: boolean): Promise<string> {
  const { runtime } = containerd.client;
  const { containerId } = await runtime.createContainer({
    podSandboxId: sandboxId,
    sandboxConfig: podConfig,
    config: {
      metadata: { name, attempt: 0 },
      image: { image: BUSYBOX_IMAGE },
      command: ['sh', '-c', script],
      logPath: `${name}.log`,
      stdin,
      // Otherwise the runtime takes the end of the input for the end of the session.
      stdinOnce: stdin,
      linux: {},
    },
  });
  await runtime.startContainer({ containerId });
  return containerId;
}

async function processesInside(): Promise<number> {
  const { stdout } = await containerd.client.runtime.execSync({ containerId: mainId, cmd: ['ps'], timeout: 10 });
  return Buffer.from(stdout)
    .toString()
    .split('\n')
    .filter((line) => /sleep 1000|\byes\b/.test(line)).length;
}

const idle = (): Promise<void> =>
  until(
    () => cluster.sessions() === 0,
    () => `no session is left (${cluster.sessions()})`,
  );

before(async () => {
  buildPause();
  const conf = {
    cniVersion: '1.0.0',
    name: tag,
    plugins: [
      {
        type: 'bridge',
        bridge: tag,
        isGateway: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: '10.213.78.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  };
  mkdirSync(pathsFor(dataDir).cniConf, { recursive: true });
  writeFileSync(join(pathsFor(dataDir).cniConf, '10-test.conflist'), JSON.stringify(conf));
  mkdirSync(pathsFor(dataDir).images, { recursive: true });
  writeFileSync(join(pathsFor(dataDir).images, 'busybox.tar'), busyboxArchive());
  await containerd.start(stop.signal);
  const importer = new ImageImporter({ dataDir, containerd, log });
  await importer.start();
  await importer.settled();
  await importer.stop();
  const { runtime } = containerd.client;
  await until(
    async () => (await runtime.status({})).status?.conditions.every((condition) => condition.status) ?? false,
    () => 'the network is ready',
  );
  ({ podSandboxId: sandboxId } = await runtime.runPodSandbox({ config: podConfig }));
  mainId = await startContainer(
    'main',
    'mkdir /w; yes 0123456789 | head -c 300000 >/w/page; httpd -f -p 80 -h /w',
    false,
  );
  cluster = await startFakeCluster({
    execUrl: async (cmd, options) => (await runtime.exec({ containerId: mainId, cmd, ...options })).url,
    attachUrl: async (options) => {
      const containerId = await startContainer(`echo${Date.now()}`, 'read line; echo "got $line"; sleep 1', true);
      return (await runtime.attach({ containerId, ...options })).url;
    },
    portForwardUrl: async () => (await runtime.portForward({ podSandboxId: sandboxId, port: [] })).url,
  });
});

after(async () => {
  stop.abort();
  cluster?.close();
  await containerd.stop();
  await teardown({ dataDir, runDir, log, networkDevices: [tag], cniNetworks: [tag], cgroups: [tag], nftTables: [] });
  rmSync(base, { recursive: true, force: true });
});

for (const kubectl of await kubectlRunners(() => cluster.kubeconfig)) {
  describe(`${kubectl.name}, containerd`, { timeout: 120_000 }, () => {
    it('keeps stdout and stderr apart and tells the exit code', async () => {
      const outcome = await kubectl.run(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.equal(outcome.stdout.toString(), 'out\n');
      assert.match(outcome.stderr, /^err\n/);
      assert.match(outcome.stderr, /command terminated with exit code 7/);
      assert.equal(outcome.code, 7);
      assert.equal(cluster.lastTransport(), kubectl.transport);
      await idle();
    });

    it('tells why a command could not be started', async () => {
      const outcome = await kubectl.run(['exec', 'web', '--', 'no-such-command']);
      assert.match(outcome.stderr, /no-such-command/);
      assert.notEqual(outcome.code, 0);
      await idle();
    });

    it('pipes 50 MB in and back unharmed', async () => {
      const body = randomBytes(50_000_000);
      const outcome = await kubectl.run(['exec', '-i', 'web', '--', 'cat'], body);
      assert.equal(outcome.stderr, '');
      assert.equal(sha(outcome.stdout), sha(body));
      await idle();
    });

    it('lets a command end before its input does, and gives a slow reader everything', async () => {
      // No more than fits into its pipes: the shim holds the reading end open, and containerd waits for the rest to be read.
      const early = await kubectl.run(['exec', '-i', 'web', '--', 'head', '-c', '5'], Buffer.alloc(50_000, 'z'));
      assert.equal(early.stdout.toString(), 'zzzzz');
      const child = kubectl.start('exec', 'web', '--', 'head', '-c', '8000000', '/dev/zero');
      child.stdin.end();
      await wait(1500);
      let size = 0;
      for await (const chunk of child.stdout) size += chunk.length;
      assert.equal(size, 8_000_000);
      await idle();
    });

    it('gives the command a terminal of the right size', async () => {
      const waitFor = (size: string): string => `until stty size | grep "${size}"; do sleep 0.1; done`;
      const command = `${waitFor('30 100')}; ${waitFor('40 120')}; exit 3`;
      const output = await kubectl.runOnTerminal(`exec -it web -- sh -c '${command}'`, /30 100/);
      assert.match(output, /30 100\r\n40 120\r\n/);
      assert.match(output, /exit code 3/);
      await idle();
    });

    it('attaches to a running container', async () => {
      const outcome = await kubectl.run(['attach', '-i', 'web'], Buffer.from('something\n'));
      assert.match(outcome.stdout.toString(), /got something\n/, outcome.stderr);
      await idle();
    });

    it('copies a file in and out', async () => {
      const body = randomBytes(3_000_000);
      writeFileSync(join(base, 'here'), body);
      const into = await kubectl.run(['cp', join(base, 'here'), 'web:/tmp/there']);
      assert.equal(into.code, 0, into.stderr);
      const out = await kubectl.run(['cp', 'web:/tmp/there', join(base, 'back')]);
      assert.equal(out.code, 0, out.stderr);
      assert.equal(sha(readFileSync(join(base, 'back'))), sha(body));
      await idle();
    });

    it('frees its connections when the client is killed', async () => {
      for (const command of ['exec sleep 1000', 'exec yes']) {
        const child = kubectl.start('exec', '-i', 'web', '--', 'sh', '-c', command);
        await until(
          async () => (await processesInside()) > 0,
          () => 'the command runs',
        );
        child.kill('SIGKILL');
        await idle();
        await containerd.client.runtime.execSync({
          containerId: mainId,
          cmd: ['killall', 'sleep', 'yes'],
          timeout: 10,
        });
      }
    });

    it('forwards many requests at once, and says when nothing listens', async () => {
      const { child, port } = await kubectl.forward(80);
      const get = async (): Promise<number> => {
        const response = await fetch(`http://127.0.0.1:${port}/page`);
        return (await response.arrayBuffer()).byteLength;
      };
      const sizes = await Promise.all(Array.from({ length: 60 }, get));
      assert.deepEqual(sizes, Array(60).fill(300_000));
      assert.equal(cluster.lastTransport(), kubectl.transport);
      child.kill('SIGTERM');
      const deaf = await kubectl.forward(81);
      await assert.rejects(fetch(`http://127.0.0.1:${deaf.port}/`));
      await until(
        () => deaf.errors().includes('connection refused'),
        () => `the error is told: ${deaf.errors()}`,
      );
      deaf.child.kill('SIGTERM');
      await idle();
    });
  });
}
