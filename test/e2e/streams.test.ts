import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { BUSYBOX_IMAGE } from '../../packaging/images/busybox.ts';
import type { Kedge, KubectlOptions } from './lib/kedge.ts';
import { agentOf } from './lib/kubeconfig-agent.ts';
import { deployment, pod, SERVE_HOSTNAME, service, shell } from './lib/manifests.ts';
import { Namespace } from './lib/namespace.ts';
import { useKedge } from './lib/use-kedge.ts';

const TICK = 'i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.2; done';

/** The protocols a kubectl may speak; 1.36 speaks websocket unless told otherwise. */
const PROTOCOLS: Readonly<Record<string, KubectlOptions>> = {
  websocket: {},
  SPDY: { env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' } },
  "the system's kubectl": { version: 'system' },
};

describe('streams between kubectl and containers', () => {
  const kedge = useKedge();
  for (const [index, [name, options]] of Object.entries(PROTOCOLS).entries()) {
    describe(`by ${name}`, { concurrency: 3 }, () => streams(kedge, `p${index}`, options));
  }
  describe('logs and proxy', { concurrency: 4 }, () => logs(kedge));
});

function streams(kedge: () => Kedge, prefix: string, options: KubectlOptions): void {
  async function withPod(name: string, ...containers: readonly object[]): Promise<Namespace> {
    const ns = await Namespace.create(kedge(), `${prefix}-${name}`, options);
    await ns.apply(pod('box', { containers }, { labels: { app: 'box' } }));
    await ns.waitReady('box');
    return ns;
  }

  test('exec', async () => {
    const ns = await withPod('exec', shell('main', SERVE_HOSTNAME), shell('side', 'exec sleep 3600'));
    assert.equal(await ns.kubectl('exec', 'box', '--', 'hostname'), 'box');
    assert.match(await ns.kubectl('exec', 'box', '-c', 'side', '--', 'ps'), /sleep 3600/);
    const failed = await ns.tryKubectl('exec', 'box', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7');
    assert.deepEqual([failed.stdout, failed.code], ['out\n', 7]);
    assert.match(failed.output, /^err$/m);
    const missing = await ns.tryKubectl('exec', 'box', '--', 'nosuchprogram');
    assert.match(missing.output, /nosuchprogram.*not found/);
    assert.notEqual(missing.code, 0);
    await ns.assertRefused(
      /container none is not valid|container not found|none/,
      'exec',
      'box',
      '-c',
      'none',
      '--',
      'ls',
    );
    const text = randomBytes(600_000).toString('base64');
    assert.equal(await ns.kubectlWithInput(text, 'exec', '-i', 'box', '--', 'cat'), text, 'what goes in comes out');
  });

  test('exec at a terminal', async () => {
    const ns = await withPod('tty', shell('main', 'exec sleep 3600'));
    const talk = ns.talkAtTerminal('exec', '-it', 'box', '--', 'sh');
    await talk.hears(/ # /);
    talk.says('tty; echo $((6*7))\n');
    await talk.hears(/\/dev\/pts\/0\r\n42\r\n/);
    talk.says('exit 5\n');
    assert.equal(await talk.ends(), 5);
  });

  test('attach', async () => {
    const echo = shell('main', 'while read line; do echo "heard $line"; done', { stdin: true, stdinOnce: true });
    const ns = await withPod('attach', echo);
    const talk = ns.talk('attach', '-i', 'box');
    talk.says('one\n');
    await talk.hears(/heard one/);
    talk.says('two\n');
    await talk.hears(/heard two/);
    talk.saysNoMore();
    await talk.ends();
    await ns.waitFor('pod/box', '.status.containerStatuses[0].restartCount', '1');
  });

  test('run --rm -it', async () => {
    const ns = await Namespace.create(kedge(), `${prefix}-run`, options);
    const run = ['run', 'one', '--rm', `--image=${BUSYBOX_IMAGE}`, '--restart=Never'];
    const talk = ns.talkAtTerminal(...run, '-it', '--', 'sh');
    await talk.hears(/ # /);
    talk.says('echo $((6*7)); hostname\n');
    await talk.hears(/42\r\none\r\n/);
    talk.says('exit\n');
    await talk.hears(/pod "one" deleted/);
    assert.equal(await talk.ends(), 0);
    await ns.assertRefused(/"one" not found/, 'get', 'pod', 'one');
    const failed = await ns.tryKubectl(...run, '-i', '--', 'sh', '-c', 'sleep 0.5; echo bye; exit 3');
    assert.match(failed.output, /^bye$/m);
    assert.equal(failed.code, 3);
  });

  test('cp both ways', async () => {
    const ns = await withPod('cp', shell('main', 'exec sleep 3600'));
    const folder = join(kedge().folder, `${prefix}-cp`);
    mkdirSync(join(folder, 'out', 'deep'), { recursive: true });
    const data = randomBytes(2_000_000);
    writeFileSync(join(folder, 'out', 'deep', 'data'), data);
    writeFileSync(join(folder, 'out', 'note'), 'hello\n');
    await ns.kubectl('cp', join(folder, 'out'), 'box:/tmp/in');
    assert.equal(await ns.kubectl('exec', 'box', '--', 'cat', '/tmp/in/note'), 'hello');
    await ns.kubectl('cp', 'box:/tmp/in', join(folder, 'back'));
    assert.deepEqual(readFileSync(join(folder, 'back', 'deep', 'data')), data);
    await ns.kubectl('cp', `${ns.name}/box:/tmp/in/note`, join(folder, 'note'));
    assert.equal(readFileSync(join(folder, 'note'), 'utf8'), 'hello\n');
  });

  test('port-forward', async () => {
    const ns = await withPod('forward', shell('main', SERVE_HOSTNAME));
    await ns.apply(service('box', 'box'));
    for (const target of ['pod/box', 'service/box']) {
      const talk = ns.talk('port-forward', target, target === 'pod/box' ? ':8080' : ':80');
      const [, address = ''] = await talk.hears(/Forwarding from (127\.0\.0\.1:\d+) -> 8080/);
      const pages = Array.from({ length: 5 }, async () => (await fetch(`http://${address}/`)).text());
      assert.deepEqual(
        await Promise.all(pages),
        Array.from({ length: 5 }, () => 'box\n'),
        target,
      );
      await talk.stop();
    }
    const talk = ns.talk('port-forward', 'pod/box', ':9999');
    const [, address = ''] = await talk.hears(/Forwarding from (127\.0\.0\.1:\d+) -> 9999/);
    await assert.rejects(fetch(`http://${address}/`));
    await talk.hears(/connection refused/i);
    await talk.stop();
  });
}

function logs(kedge: () => Kedge): void {
  test('logs of one container and of several', async () => {
    const ns = await Namespace.create(kedge(), 'logs');
    await ns.apply(
      pod('box', { containers: [shell('main', TICK), shell('side', 'echo from the side; exec sleep 3600')] }),
      deployment('web', 2, 'echo I am $HOSTNAME; exec sleep 3600'),
    );
    await ns.waitReady('box');
    await ns.assertRefused(/container none is not valid for pod box/, 'logs', 'box', '-c', 'none');
    assert.match(await ns.kubectl('logs', 'box'), /^(Defaulted container.*\n)?tick 1\n/);
    assert.equal(await ns.kubectl('logs', 'box', '-c', 'side'), 'from the side');
    assert.match(
      await ns.kubectl('logs', 'box', '-c', 'side', '--timestamps'),
      /^\d{4}-\d\d-\d\dT[\d:.]+Z from the side$/,
    );
    assert.match(
      await ns.kubectl('logs', 'box', '--all-containers', '--prefix'),
      /^\[pod\/box\/side\] from the side$/m,
    );
    await delay(2000);
    const lines = async (...flags: string[]): Promise<string[]> =>
      (await ns.kubectl('logs', 'box', '-c', 'main', ...flags)).split('\n');
    const all = await lines();
    assert.equal((await lines('--tail=3')).length, 3);
    assert.deepEqual(await lines('--limit-bytes=6'), ['tick 1']);
    const recent = await lines('--since=1s');
    assert.ok(
      recent.length >= 2 && recent.length <= 10 && all.length > recent.length,
      `${recent.length} of ${all.length}`,
    );
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=30s');
    assert.match(await ns.kubectl('logs', 'deployment/web'), /^(Found 2 pods.*\n)?I am web-/);
    assert.equal((await ns.kubectl('logs', '-l', 'app=web')).split('\n').length, 2);
  });

  test('logs -f follows to the end', async () => {
    const ns = await Namespace.create(kedge(), 'follow');
    await ns.apply(
      pod('box', {
        restartPolicy: 'Never',
        containers: [shell('main', 'for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done')],
      }),
    );
    await ns.waitFor('pod/box', '.status.phase', /Running|Succeeded/);
    const talk = ns.talk('logs', '-f', 'box');
    await talk.hears(/line 5/);
    assert.equal(await talk.ends(), 0);
    assert.equal(talk.stdout, 'line 1\nline 2\nline 3\nline 4\nline 5\n');
  });

  test('logs through a websocket, as browsers get them', async () => {
    const ns = await Namespace.create(kedge(), 'browser');
    await ns.apply(pod('box', { restartPolicy: 'Never', containers: [shell('main', 'echo one; sleep 1; echo two')] }));
    await ns.waitFor('pod/box', '.status.phase', /Running|Succeeded/);
    const url = `wss://127.0.0.1:6443/api/v1/namespaces/${ns.name}/pods/box/log?follow=true`;
    for (const [protocol, decode] of [
      ['binary.k8s.io', (data: Buffer) => data.toString()],
      ['base64.binary.k8s.io', (data: Buffer) => Buffer.from(data.toString(), 'base64').toString()],
    ] as const) {
      const socket = new WebSocket(url, protocol, { agent: agentOf(kedge().kubeconfig) });
      let text = '';
      socket.on('message', (data: Buffer) => {
        text += decode(data);
      });
      await once(socket, 'close');
      assert.equal(text, 'one\ntwo\n', protocol);
    }
  });

  test('logs --previous after a restart', async () => {
    const ns = await Namespace.create(kedge(), 'previous');
    const script =
      'if [ -e /data/again ]; then echo second; exec sleep 3600; fi; touch /data/again; echo first; exit 1';
    const mount = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };
    await ns.apply(
      pod('box', { containers: [shell('main', script, mount)], volumes: [{ name: 'data', emptyDir: {} }] }),
    );
    await ns.waitFor('pod/box', '.status.containerStatuses[0].restartCount', '1');
    await ns.waitReady('box');
    assert.equal(await ns.kubectl('logs', 'box'), 'second');
    assert.equal(await ns.kubectl('logs', 'box', '--previous'), 'first');
  });

  test('proxy', async () => {
    const ns = await Namespace.create(kedge(), 'proxy');
    await ns.apply(deployment('box', 1, SERVE_HOSTNAME), service('box', 'box'));
    await ns.kubectl('rollout', 'status', 'deployment/box', '--timeout=30s');
    const name = await ns.kubectl('get', 'pods', '-o', 'jsonpath={.items[0].metadata.name}');
    const talk = ns.talk('proxy', '--port=0');
    const [, address = ''] = await talk.hears(/Starting to serve on (\S+)/);
    const page = async (path: string): Promise<string> => (await fetch(`http://${address}${path}`)).text();
    assert.match(await page('/version'), /"gitVersion": ?"v1\.36\./);
    assert.match(await page(`/api/v1/namespaces/${ns.name}/pods`), /"kind": ?"PodList"/);
    assert.equal(await page(`/api/v1/namespaces/${ns.name}/pods/${name}:8080/proxy/`), `${name}\n`);
    assert.equal(await page(`/api/v1/namespaces/${ns.name}/services/box:80/proxy/index.html`), `${name}\n`);
    // Without its slash the folder's own links would be wrong.
    assert.equal(await page(`/api/v1/namespaces/${ns.name}/services/box:80/proxy`), `${name}\n`);
    await talk.stop();
  });

  test('links of pages that come through a proxy lead back through it', async () => {
    const ns = await Namespace.create(kedge(), 'links');
    const page = '<a href="/there">there</a><a href="https://example.com/">away</a>';
    const serve = `mkdir /tmp/www && echo '${page}' >/tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www`;
    // A name that begins as the subresource does.
    await ns.apply(pod('proxy-box', { containers: [shell('main', serve)] }));
    await ns.waitReady('proxy-box');
    const path = `/api/v1/namespaces/${ns.name}/pods/http:proxy-box:8080/proxy`;
    const expected = page.replace('/there', `${path}/there`);
    assert.equal(await ns.kubectl('get', '--raw', `${path}/index.html`), expected);
    await assert.rejects(ns.kubectl('get', '--raw', `/api/v1/namespaces/${ns.name}/pods/ftp:proxy-box:8080/proxy/`), {
      message: /invalid pod request "ftp:proxy-box:8080"/,
    });
  });
}
