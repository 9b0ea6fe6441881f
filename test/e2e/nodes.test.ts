import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { HostCluster } from './lib/host-cluster.ts';
import { type Host, Lan } from './lib/hosts.ts';
import { EXECUTABLE } from './lib/kedge.ts';
import { assertNothingLeft, type MachineState, readMachine } from './lib/machine.ts';
import { deployment, SERVE_HOSTNAME, shell } from './lib/manifests.ts';
import { type Manifest, Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';

/** What upstream waits for a silent kubelet, and some time to act on it. */
const SILENCE_MS = 80_000;
const TOKEN_FILE = '/var/lib/kedge/server/token';
const NODES = ['east', 'server', 'west'];

/** A cluster of several machines, as its administrator sees it. */
describe('nodes', () => {
  let machine: MachineState;
  let lan: Lan;
  let server: Host;
  let east: Host;
  let west: Host;
  let cluster: HostCluster;
  let token: string;

  before(async () => {
    machine = await readMachine();
    lan = await Lan.create();
    server = await lan.addHost('server');
    east = await lan.addHost('east');
    west = await lan.addHost('west');
    cluster = await HostCluster.at(server);
    server.startKedge(['server']);
    await cluster.waitForNodes(['server']);
    token = readFileSync(server.path(TOKEN_FILE), 'utf8').trim();
    // Two ways to say the same.
    east.startKedge(['agent', '--server', serverUrl(), '--token', token, '--node-label', 'place=shelf']);
    west.startKedge(['agent'], { env: { KEDGE_URL: serverUrl(), KEDGE_TOKEN: token } });
    await cluster.waitForNodes(NODES);
  });
  after(async () => {
    await lan?.close();
    if (machine !== undefined) await assertNothingLeft(machine);
  });

  const serverUrl = (): string => `https://${server.address}:6443`;

  test('a node has the name, the address and the labels of its machine', async () => {
    const path =
      '{range .items[*]}{.metadata.name} {.status.addresses[?(@.type=="InternalIP")].address} {.metadata.labels.place}{"\\n"}{end}';
    const lines = (await cluster.kubectl(['get', 'nodes', '-o', `jsonpath=${path}`])).split('\n');
    assert.deepEqual(lines, [`east ${east.address} shelf`, `server ${server.address} `, `west ${west.address}`]);
    assert.match(await cluster.kubectl(['get', 'node', 'server']), /control-plane/);
  });

  test('Pods run on every node and are reached through the API server', async () => {
    const ns = await Namespace.create(cluster, 'everywhere');
    await ns.apply(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'words' }, data: { greeting: 'hello' } },
      daemonSet('web', `echo "$GREETING from $NODE"; ${SERVE_HOSTNAME}`),
    );
    await ns.waitFor('daemonset/web', '.status.numberReady', '3');
    const listing = await ns.kubectl(
      'get',
      'pods',
      '-o',
      'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\\n"}{end}',
    );
    const pods = listing
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]);
    assert.deepEqual(pods.map(([, node]) => node).sort(), NODES);
    for (const [pod, node] of pods) {
      assert.equal(await ns.kubectl('logs', pod), `hello from ${node}`);
      assert.equal(await ns.kubectl('exec', pod, '--', 'cat', '/words/greeting', '/tmp/www/index.html'), `hello${pod}`);
      assert.match(
        await ns.kubectl('exec', pod, '--', 'cat', '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt'),
        /BEGIN/,
      );
      const forward = ns.talk('port-forward', pod, ':8080');
      const [, port = ''] = await forward.hears(/127\.0\.0\.1:(\d+) ->/);
      assert.equal((await server.mustRun(['busybox', 'wget', '-qO-', `http://127.0.0.1:${port}/`])).trim(), pod);
      await forward.stop();
      assert.match(
        await cluster.kubectl(['describe', 'node', node]),
        new RegExp(`Ready +True[\\s\\S]*everywhere +${pod}`),
      );
      assert.equal(await cluster.kubectl(['get', '--raw', `/api/v1/nodes/${node}/proxy/healthz`]), 'ok');
    }
    await ns.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'words' },
      data: { greeting: 'good day' },
    });
    for (const [pod, node] of pods) {
      await until(
        `the ConfigMap's change is seen on ${node}`,
        async () => (await ns.kubectl('exec', pod, '--', 'cat', '/words/greeting')) === 'good day',
        { timeoutMs: 90_000 },
      );
    }
  });

  test('a node may do what concerns itself, and no more', async () => {
    const asEast = (...args: string[]): Promise<string> =>
      east
        .run([
          'kubectl',
          `--server=${serverUrl()}`,
          '--insecure-skip-tls-verify',
          '--client-certificate=/var/lib/kedge/agent/client-kubelet.crt',
          '--client-key=/var/lib/kedge/agent/client-kubelet.key',
          ...args,
        ])
        .then(({ output }) => output);
    assert.match(await asEast('get', 'node', 'east', '-o', 'name'), /node\/east/);
    assert.match(await asEast('get', 'secrets', '-A'), /Forbidden/);
    assert.match(await asEast('label', 'node', 'west', 'mine=yes'), /Forbidden/);
    assert.match(await asEast('label', 'node', 'east', 'node-role.kubernetes.io/control-plane=true'), /Forbidden/);
    assert.match(await asEast('get', 'pods', '-A'), /Forbidden/);
  });

  test('who cannot join is told why, in one line', async () => {
    const visitor = await lan.addHost('visitor');
    const refused = async (message: RegExp, ...args: string[]): Promise<void> => {
      const result = await visitor.run(['timeout', '20', EXECUTABLE, 'agent', ...args]);
      assert.equal(result.code, 1, result.output);
      assert.match(result.output.trim().split('\n').at(-1) ?? '', message);
    };
    const at = ['--server', serverUrl(), '--token'];
    await refused(/^kedge: .*needs a server.*--server https:\/\/HOST:6443/);
    await refused(/^kedge: .*needs a token.*--token/, '--server', serverUrl());
    await refused(/^kedge: .*does not know the token: .*kedge token create/, ...at, token.replace(/:[^:]*$/, ':wrong'));
    await refused(
      /^kedge: the CA of .* is not the one of the token/,
      ...at,
      token.replace(/^K10.{64}/, `K10${'0'.repeat(64)}`),
    );
    await refused(/^kedge: the token's CA hash is damaged/, ...at, token.replace('K10', 'K10x'));
    await refused(
      /^kedge: the node name "east" belongs to another machine: .*--node-name/,
      ...at,
      token,
      '--node-name',
      'east',
    );
    await refused(/^kedge: the node name "server" belongs to another machine/, ...at, token, '--node-name', 'server');
    await refused(/^kedge: --server: .*is not the address of a server/, '--server', 'http://a', '--token', token);
    assert.deepEqual(await cluster.readyNodes(), NODES);
    const away = visitor.startKedge(['agent', '--server', `https://${lan.prefix}.99:6443`, '--token', token]);
    await until('the agent says that nobody answers', () =>
      /not joined yet, trying again.*cannot reach https:.*check address, port and firewall/.test(visitor.log),
    );
    await away.stop();
  });

  test('tokens are made, used, shown and taken back', async () => {
    const asAdmin = async (...args: string[]): Promise<string> =>
      (await server.mustRun([EXECUTABLE, 'token', ...args])).trim();
    assert.match(await asAdmin('generate'), /^[a-z0-9]{6}\.[a-z0-9]{16}$/);
    const made = await asAdmin('create', '--description', 'for the shelf', '--ttl', '1h');
    assert.match(made, /^K10[0-9a-f]{64}::[a-z0-9]{6}\.[a-z0-9]{16}$/);
    assert.match(await asAdmin('list'), /59m.*for the shelf/);
    const guest = await lan.addHost('guest');
    guest.startKedge(['agent', '--server', serverUrl(), '--token', made]);
    await cluster.waitForNodes([...NODES, 'guest']);
    await guest.kedge.stop();
    await asAdmin('delete', made.replace(/.*::/, ''));
    await cluster.kubectl(['delete', 'node', 'guest']);
    const result = await guest.run([
      'timeout',
      '20',
      EXECUTABLE,
      'agent',
      '--server',
      serverUrl(),
      '--token',
      made,
      '--node-name',
      'other',
    ]);
    assert.match(result.output, /does not know the token/);
    await guest.end();
  });

  test('a machine that is cut off for a minute is given up, and converges when it is back', async () => {
    const ns = await Namespace.create(cluster, 'cut-off');
    await ns.apply(impatient('web', 'east'), daemonSet('all', 'exec sleep 3600'));
    await ns.waitFor('deployment/web', '.status.readyReplicas', '2');
    await ns.waitFor('daemonset/all', '.status.numberReady', '3');
    assert.equal(await nodesOf(ns, 'web'), 'east east', 'both were put there');
    const before = await containersOf(east);
    await east.cutOff();
    await until('east is NotReady', async () => !(await cluster.readyNodes()).includes('east'), {
      timeoutMs: SILENCE_MS,
    });
    await until(
      'its Pods are replaced elsewhere',
      async () =>
        (await nodesOf(ns, 'web', '--field-selector=status.phase=Running')).replaceAll('east', '').trim().split(/\s+/)
          .length === 2,
      { timeoutMs: 40_000 },
    );
    await ns.waitFor('deployment/web', '.status.readyReplicas', '2');
    assert.deepEqual(await containersOf(east), before, 'nothing is stopped on a machine that is alone');
    await east.bringBack();
    await cluster.waitForNodes(NODES, 60_000);
    await until(
      'the Pods that were replaced are gone from it',
      async () => !(await nodesOf(ns, 'web')).includes('east'),
    );
    await until('their containers, too', async () => (await containersOf(east)).length === before.length - 4);
    await ns.waitFor('daemonset/all', '.status.numberReady', '3');
    await ns.kubectl('delete', 'namespace', 'cut-off');
  });

  test('an agent that is killed loses its node, not its containers, and comes back without a token', async () => {
    const ns = await Namespace.create(cluster, 'killed');
    await ns.apply(impatient('web', 'west'), daemonSet('all', 'exec sleep 3600'));
    await ns.waitFor('deployment/web', '.status.readyReplicas', '2');
    await ns.waitFor('daemonset/all', '.status.numberReady', '3');
    const before = await containersOf(west);
    await west.kedge.stop('SIGKILL');
    await until('west is NotReady', async () => !(await cluster.readyNodes()).includes('west'), {
      timeoutMs: SILENCE_MS,
    });
    await until(
      'its Pods run elsewhere',
      async () =>
        (await nodesOf(ns, 'web', '--field-selector=status.phase=Running')).split(' ').filter((node) => node !== 'west')
          .length === 2,
      { timeoutMs: 40_000 },
    );
    assert.deepEqual(await containersOf(west), before);
    // It comes up while the server is away, too.
    await server.kedge.stop();
    west.startKedge(['agent']);
    await delay(3000);
    west.kedge.checkAlive();
    server.startKedge(['server']);
    await cluster.waitForNodes(NODES);
    await until(
      'the Pods that were replaced are gone from it',
      async () => !(await nodesOf(ns, 'web')).includes('west'),
    );
    await until('their containers, too', async () => (await containersOf(west)).length === before.length - 4);
  });

  /** The ids of the Pods' containers on a host, whatever the API says. */
  async function containersOf(host: Host): Promise<string[]> {
    const socket = '/run/kedge/containerd/containerd.sock';
    const listing = await host.mustRun([
      'ctr',
      '--address',
      socket,
      '--namespace',
      'k8s.io',
      'tasks',
      'list',
      '--quiet',
    ]);
    return listing.trim().split('\n').sort();
  }

  async function nodesOf(ns: Namespace, app: string, ...more: string[]): Promise<string> {
    return ns.kubectl('get', 'pods', '-l', `app=${app}`, ...more, '-o', 'jsonpath={.items[*].spec.nodeName}');
  }

  function daemonSet(name: string, script: string): Manifest {
    const labels = { app: name };
    const env = [
      { name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'words', key: 'greeting', optional: true } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    ];
    const main = shell('main', script, { env, volumeMounts: [{ name: 'words', mountPath: '/words' }] });
    const volumes = [{ name: 'words', configMap: { name: 'words', optional: true } }];
    const spec = { terminationGracePeriodSeconds: 1, containers: [main], volumes };
    return {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    };
  }

  /** Two Pods that would rather be on `node`, and leave it soon when it is away. */
  function impatient(name: string, node: string): Manifest {
    const manifest = deployment(name, 2, 'exec sleep 3600') as { spec: { template: { spec: object } } } & Manifest;
    const expressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }];
    const nodeAffinity = {
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference: { matchExpressions: expressions } }],
    };
    const tolerations = ['not-ready', 'unreachable'].map((what) => ({
      key: `node.kubernetes.io/${what}`,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 3,
    }));
    Object.assign(manifest.spec.template.spec, { affinity: { nodeAffinity }, tolerations });
    return manifest;
  }
});
