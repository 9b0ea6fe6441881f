/** Real kubectl against the streaming code, over websocket and over SPDY; commands are processes of this machine. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { type FakeCluster, startFakeCluster } from './fake-cluster.ts';
import { type FakeRuntime, startFakeRuntime } from './fake-runtime.ts';
import { kubectlRunners, until, wait } from './kubectl-runner.ts';

let runtime: FakeRuntime;
let cluster: FakeCluster;
let web: Server;
let webPort: number;

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const idle = (): Promise<void> =>
  until(
    () => cluster.sessions() === 0 && runtime.running() === 0,
    () => `no session is left (${cluster.sessions()} proxies, ${runtime.running()} commands)`,
  );

before(async () => {
  runtime = await startFakeRuntime();
  cluster = await startFakeCluster({
    execUrl: (command, options) => runtime.execUrl(command, options),
    attachUrl: (options) => runtime.execUrl(['sh', '-c', 'echo attached; cat'], options),
    portForwardUrl: () => runtime.portForwardUrl(),
  });
  web = createServer((req, res) => {
    const size = Number(req.url?.slice(1) ?? 0);
    res.setHeader('Connection', 'close');
    req.resume().on('end', () => res.end(Buffer.alloc(size, 'w')));
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  webPort = (web.address() as AddressInfo).port;
});
after(() => {
  cluster.close();
  runtime.close();
  web.close();
});

for (const kubectl of await kubectlRunners(() => cluster.kubeconfig)) {
  describe(kubectl.name, { timeout: 120_000 }, () => {
    it('keeps stdout and stderr apart and tells the exit code', async () => {
      const outcome = await kubectl.run(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.equal(outcome.stdout.toString(), 'out\n');
      assert.match(outcome.stderr, /^err\n/);
      assert.match(outcome.stderr, /command terminated with exit code 7/);
      assert.equal(outcome.code, 7);
      assert.equal(cluster.lastTransport(), kubectl.transport);
      await idle();
    });

    it('succeeds quietly, many times', async () => {
      for (let i = 0; i < 5; i++) {
        const outcome = await kubectl.run(['exec', 'web', '--', 'echo', 'hello']);
        assert.deepEqual([outcome.code, outcome.stdout.toString(), outcome.stderr], [0, 'hello\n', '']);
      }
      await idle();
    });

    it('tells why a command could not be started', async () => {
      const outcome = await kubectl.run(['exec', 'web', '--', 'no-such-command']);
      assert.match(outcome.stderr, /no-such-command/);
      assert.notEqual(outcome.code, 0);
    });

    it('pipes 50 MB in and back unharmed', async () => {
      const body = randomBytes(50_000_000);
      const outcome = await kubectl.run(['exec', '-i', 'web', '--', 'cat'], body);
      assert.equal(outcome.stderr, '');
      assert.equal(sha(outcome.stdout), sha(body));
      await idle();
    });

    it('ends the input of a command', async () => {
      const outcome = await kubectl.run(['exec', '-i', 'web', '--', 'wc', '-c'], Buffer.alloc(100_000));
      assert.equal(outcome.stdout.toString().trim(), '100000');
    });

    it('lets a command end before its input does', async () => {
      const outcome = await kubectl.run(['exec', '-i', 'web', '--', 'head', '-c', '5'], Buffer.alloc(20_000_000, 'z'));
      assert.equal(outcome.stdout.toString(), 'zzzzz');
      await idle();
    });

    it('gives a slow reader everything', async () => {
      const child = kubectl.start('exec', 'web', '--', 'head', '-c', '8000000', '/dev/zero');
      child.stdin.end();
      await wait(1500);
      const stdout = await buffer(child.stdout);
      assert.equal(stdout.length, 8_000_000);
      await idle();
    });

    it('sends the size of the terminal and its changes', async () => {
      const output = await kubectl.runOnTerminal("exec -it web -- sh -c 'sleep 3; echo done'", /Height":30/);
      assert.match(output, /\{"Width":100,"Height":30\}/);
      assert.match(output, /\{"Width":120,"Height":40\}/);
      assert.match(output, /done/);
      await idle();
    });

    it('attaches', async () => {
      const outcome = await kubectl.run(['attach', '-i', 'web'], Buffer.from('typed\n'));
      assert.match(outcome.stdout.toString(), /attached\ntyped\n/);
      await idle();
    });

    it('copies a file in and out', async () => {
      const dir = mkdtempSync(join(tmpdir(), 'kedge-cp-'));
      try {
        const body = randomBytes(3_000_000);
        writeFileSync(join(dir, 'here'), body);
        const into = await kubectl.run(['cp', join(dir, 'here'), `web:${join(dir, 'there')}`]);
        assert.equal(into.code, 0, into.stderr);
        const out = await kubectl.run(['cp', `web:${join(dir, 'there')}`, join(dir, 'back')]);
        assert.equal(out.code, 0, out.stderr);
        assert.equal(sha(readFileSync(join(dir, 'back'))), sha(body));
      } finally {
        rmSync(dir, { recursive: true });
      }
      await idle();
    });

    it('frees everything when the client is killed', async () => {
      // Idle, in the middle of output, and with input nobody reads.
      for (const command of ['sleep 1000', 'yes', 'sleep 1000 # full']) {
        const child = kubectl.start('exec', '-i', 'web', '--', 'sh', '-c', command);
        child.stdin.on('error', () => {});
        if (command.includes('full')) child.stdin.write(Buffer.alloc(20_000_000));
        await until(
          () => runtime.running() === 1,
          () => 'the command runs',
        );
        await wait(300);
        child.kill('SIGKILL');
        await idle();
      }
    });

    it('forwards many requests at once, and bodies of any size', async () => {
      const { child, port } = await kubectl.forward(webPort);
      const post = (size: number): Promise<number> =>
        new Promise((resolve, reject) => {
          const req = request({ port, host: '127.0.0.1', path: `/${size}`, method: 'POST', agent: false }, (res) => {
            buffer(res).then((body) => resolve(body.length), reject);
          });
          req.on('error', reject);
          req.end(Buffer.alloc(size));
        });
      const sizes = Array.from({ length: 60 }, (_, i) => (i % 10 === 0 ? 2_000_000 : i * 100));
      assert.deepEqual(await Promise.all(sizes.map(post)), sizes);
      assert.equal(await post(1), 1);
      assert.equal(cluster.lastTransport(), kubectl.transport);
      child.kill('SIGTERM');
      await idle();
    });

    it('says that nothing listens on a forwarded port', async () => {
      const { child, port, errors } = await kubectl.forward(1);
      await new Promise<void>((resolve) => {
        request({ port, host: '127.0.0.1', agent: false })
          .on('error', () => resolve())
          .end();
      });
      await until(
        () => errors().includes('ECONNREFUSED'),
        () => `the error is told: ${errors()}`,
      );
      child.kill('SIGTERM');
      await idle();
    });
  });
}
