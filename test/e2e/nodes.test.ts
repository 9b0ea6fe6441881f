import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { HostCluster } from './lib/host-cluster.ts';
import { type Host, Lan } from './lib/hosts.ts';
import { EXECUTABLE } from './lib/kedge.ts';
import { assertNothingLeft, type MachineState, readMachine } from './lib/machine.ts';
import { deployment, pod, SERVE_HOSTNAME, shell } from './lib/manifests.ts';
import { type Manifest, Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';

/** What upstream waits for a silent kubelet, and some time to act on it. */
const SILENCE_MS = 80_000;
const TOKEN_FILE = '/var/lib/kedge/server/token';
const COPIED_TOKEN = '/run/token';
const STORAGE = '/var/lib/kedge/storage';
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
    // Three ways to say the same.
    writeFileSync(east.path(COPIED_TOKEN), `${token}\n`);
    const labels = ['--node-label', 'place=shelf'];
    east.startKedge(['agent', '--server', serverUrl(), '--token-file', COPIED_TOKEN, ...labels]);
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

  test('volumes are folders of the nodes their Pods are on, made and removed from afar', async () => {
    const ns = await Namespace.create(cluster, 'volumes');
    await ns.apply(statefulSet('db', 'hostname >>/data/name; exec sleep 3600'));
    const written = (pod: string, node: string): string[] => {
      const host = lan.hosts.find(({ name }) => name === node);
      const folders = foldersOf(host, `volumes_data-${pod}`);
      assert.equal(folders.length, 1, `the volume of ${pod} is on ${node}: ${folders}`);
      return readFileSync(host?.path(`${STORAGE}/${folders[0]}/name`) ?? '', 'utf8')
        .trim()
        .split('\n');
    };
    await ns.kubectl('rollout', 'status', 'statefulset/db', '--timeout=90s');
    const pods = NODES.map((_, index) => `db-${index}`);
    const placed = new Map<string, string>();
    for (const pod of pods) {
      placed.set(pod, await ns.read(`pod/${pod}`, '.spec.nodeName'));
      const volume = await ns.read(`pvc/data-${pod}`, '.spec.volumeName');
      const affinity = '.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]';
      assert.equal(await ns.read(`pv/${volume}`, affinity), placed.get(pod));
    }
    assert.deepEqual([...placed.values()].sort(), NODES);
    await ns.kubectl('delete', 'pod', '--all', '--wait');
    await ns.waitFor('statefulset/db', '.status.readyReplicas', '3', 60_000);
    for (const pod of pods) {
      const node = await ns.read(`pod/${pod}`, '.spec.nodeName');
      assert.equal(node, placed.get(pod), `${pod} is where its data are`);
      assert.deepEqual(written(pod, node), [pod, pod]);
    }
    await ns.kubectl('delete', 'statefulset', 'db');
    await ns.kubectl('delete', 'pvc', '--all');
    await until('the folders are gone', () => lan.hosts.every((host) => foldersOf(host, 'volumes_').length === 0));
  });

  test('kubectl top knows all nodes and their Pods', async () => {
    const names = (text: string): string[] => text.split('\n').map((line) => line.split(' ')[0] ?? '');
    await until(
      'all nodes',
      async () =>
        names(await cluster.kubectl(['top', 'nodes', '--no-headers']))
          .sort()
          .join() === NODES.join(),
      { timeoutMs: 90_000 },
    );
    await until(
      'a Pod of each',
      async () => names(await cluster.kubectl(['top', 'pods', '-n', 'everywhere', '--no-headers'])).length === 3,
      { timeoutMs: 90_000 },
    );
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
    const kubelet = `https://${server.address}:10250`;
    await refused(/^kedge: .*10250.* answers 401: is it .* a kedge server\?/, '--server', kubelet, '--token', token);
    const page = visitor.spawn(['busybox', 'httpd', '-f', '-p', '127.0.0.1:8000']);
    await until(
      'there is a web server',
      async () => (await visitor.run(['curl', '-s', 'http://127.0.0.1:8000/'])).code === 0,
    );
    await refused(
      /does not speak TLS: is it .* a kedge server\?/,
      '--server',
      'https://127.0.0.1:8000',
      '--token',
      token,
    );
    page.kill();
    for (const [clock, message] of [
      ['-30d', /^kedge: the certificate of .* is not yet valid here: check the clocks of both machines/],
      ['+400d', /^kedge: the certificate of .* is no longer valid here: check the clocks of both machines/],
    ] as const) {
      const asked = ['timeout', '20', EXECUTABLE, 'agent', ...at, token];
      const late = await visitor.run(['faketime', '-m', '--exclude-monotonic', '-f', clock, ...asked]);
      assert.match(late.output.trim().split('\n').at(-1) ?? '', message);
      assert.equal(late.code, 1);
    }
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
    // Its name is free, and taken by another: it is not two machines' when it comes back.
    const visitor = lan.hosts.find(({ name }) => name === 'visitor') ?? (await lan.addHost('visitor'));
    visitor.startKedge(['agent', '--server', serverUrl(), '--token', token, '--node-name', 'guest']);
    await cluster.waitForNodes([...NODES, 'guest']);
    const back = await guest.run(['timeout', '60', EXECUTABLE, 'agent']);
    assert.match(back.output, /kedge: the node name "guest" belongs to another machine: .*--node-name/);
    assert.equal(back.code, 1);
    await visitor.kedge.stop();
    await cluster.kubectl(['delete', 'node', 'guest']);
    await guest.end();
    await visitor.end();
  });

  test('a machine that is cut off for a minute is given up, and converges when it is back', async () => {
    const ns = await Namespace.create(cluster, 'cut-off');
    await ns.apply(impatient('web', 'east'), daemonSet('all', 'exec sleep 3600'));
    await ns.waitFor('deployment/web', '.status.readyReplicas', '2');
    await ns.waitFor('daemonset/all', '.status.numberReady', '3');
    assert.equal(await nodesOf(ns, 'web'), 'east east', 'both were put there');
    await ns.apply(claim('left'), writer('east'));
    await ns.waitFor('pod/writer', '.status.phase', 'Succeeded', 60_000);
    await ns.kubectl('delete', 'pod', 'writer', '--wait');
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
    await ns.kubectl('delete', 'pvc', 'left', '--wait');
    assert.equal(foldersOf(east, 'cut-off_left').length, 1);
    await east.bringBack();
    await cluster.waitForNodes(NODES, 60_000);
    await until(
      'the Pods that were replaced are gone from it',
      async () => !(await nodesOf(ns, 'web')).includes('east'),
    );
    await until('their containers, too', async () => (await containersOf(east)).length === before.length - 4);
    await ns.waitFor('daemonset/all', '.status.numberReady', '3');
    await until('its volume that was deleted meanwhile is gone', () => foldersOf(east, 'cut-off_left').length === 0, {
      timeoutMs: 120_000,
    });
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

  /** The folders of volumes on a host whose claims are called like `claim`. */
  function foldersOf(host: Host | undefined, claim: string): string[] {
    const root = host?.path(STORAGE) ?? '';
    return existsSync(root) ? readdirSync(root).filter((name) => name.includes(`_${claim}`)) : [];
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

  function claim(name: string): Manifest {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } };
    return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name }, spec };
  }

  /** A Pod on `node` that writes into the volume `left`. */
  function writer(node: string): Manifest {
    const mounts = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };
    return pod('writer', {
      restartPolicy: 'Never',
      nodeSelector: { 'kubernetes.io/hostname': node },
      containers: [shell('main', 'echo >/data/file', mounts)],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'left' } }],
    });
  }

  /** A Pod with a volume on every node. */
  function statefulSet(name: string, script: string): Manifest {
    const labels = { app: name };
    const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } };
    const main = shell('main', script, { volumeMounts: [{ name: 'data', mountPath: '/data' }] });
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    return {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name },
      spec: {
        replicas: NODES.length,
        serviceName: name,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { terminationGracePeriodSeconds: 1, affinity, containers: [main] },
        },
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim('')['spec'] }],
      },
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
