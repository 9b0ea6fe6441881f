import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { ensureKubectl } from '../../packaging/dev/lib/kubectl.ts';
import { BUSYBOX_IMAGE, busyboxArchive } from '../../packaging/images/busybox.ts';
import { pathsFor } from '../../pkg/base/paths.ts';
import { pod, SERVE_HOSTNAME, service, shell } from './lib/manifests.ts';
import { Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';
import { useKedge } from './lib/use-kedge.ts';

const SLEEP = 'exec sleep 3600';
/** Ends at once when it is asked to: the shell is process 1, which SIGTERM does not end by itself. */
const FOREVER = 'trap "exit 0" TERM; while :; do sleep 0.2; done';
const WAITING = '.status.containerStatuses[0].state.waiting';
const RESTARTS = '.status.containerStatuses[0].restartCount';

const SLOW_LOOK = { intervalMs: 1000 };

describe('Pods', () => {
  const kedge = useKedge();

  function namespace(name: string): Promise<Namespace> {
    return Namespace.create(kedge(), name);
  }

  /** A folder on the host for hostPath volumes. */
  function hostFolder(name: string): string {
    const folder = join(kedge().folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  function inPod(ns: Namespace, name: string, script: string): Promise<string> {
    return ns.kubectl('exec', name, '--', 'sh', '-c', script);
  }

  describe('what they are given', { concurrency: 4 }, () => {
    test('ConfigMap and Secret as environment and as files, which follow a change', async () => {
      const ns = await namespace('config');
      await ns.kubectl('create', 'configmap', 'settings', '--from-literal=color=red', '--from-literal=a.txt=text A');
      await ns.kubectl('create', 'secret', 'generic', 'password', '--from-literal=word=open sesame');
      const main = shell('main', SLEEP, {
        env: [
          { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
          { name: 'WORD', valueFrom: { secretKeyRef: { name: 'password', key: 'word' } } },
          { name: 'NONE', valueFrom: { configMapKeyRef: { name: 'none', key: 'none', optional: true } } },
          { name: 'BOTH', value: '$(COLOR) $(WORD) $$(COLOR)' },
        ],
        envFrom: [
          { configMapRef: { name: 'settings' }, prefix: 'ALL_' },
          { secretRef: { name: 'password' } },
          { secretRef: { name: 'none', optional: true } },
        ],
        volumeMounts: [
          { name: 'settings', mountPath: '/settings' },
          { name: 'settings', mountPath: '/etc/one.txt', subPath: 'a.txt' },
          { name: 'password', mountPath: '/password', readOnly: true },
        ],
      });
      const volumes = [
        { name: 'settings', configMap: { name: 'settings' } },
        {
          name: 'password',
          secret: { secretName: 'password', defaultMode: 0o400, items: [{ key: 'word', path: 'the/word' }] },
        },
      ];
      await ns.apply(pod('config', { containers: [main], volumes }));
      await ns.waitReady('config');
      assert.equal(
        await inPod(ns, 'config', 'echo "$COLOR|$WORD|$NONE|$BOTH|$ALL_color|$word"'),
        'red|open sesame||red open sesame $(COLOR)|red|open sesame',
      );
      assert.equal(
        await inPod(ns, 'config', 'cd /settings; head *; cat /etc/one.txt'),
        '==> a.txt <==\ntext A\n==> color <==\nredtext A',
      );
      assert.equal(
        await inPod(ns, 'config', 'stat -L -c %a /password/the/word; cat /password/the/word'),
        '400\nopen sesame',
      );
      await ns.kubectl('patch', 'configmap', 'settings', '-p', '{"data":{"color":"blue","new":"file"}}');
      await ns.kubectl('patch', 'secret', 'password', '-p', '{"stringData":{"word":"close"}}');
      await until('the files are new', async () => {
        const seen = await inPod(ns, 'config', 'cat /settings/color /settings/new /password/the/word');
        return seen === 'bluefileclose';
      });
      assert.equal(
        await inPod(ns, 'config', 'echo $COLOR; cat /etc/one.txt'),
        'red\ntext A',
        'neither of these follows',
      );
    });

    test('what is missing is named, and waited for', async () => {
      const ns = await namespace('missing');
      const env = [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'late', key: 'a' } } }];
      await ns.apply(pod('waits', { containers: [shell('main', SLEEP, { env })] }));
      await ns.waitFor('pod/waits', `${WAITING}.reason`, 'CreateContainerConfigError');
      assert.equal(await ns.read('pod/waits', `${WAITING}.message`), 'configmap "late" not found');
      await ns.kubectl('create', 'configmap', 'late', '--from-literal=b=2');
      await ns.waitFor('pod/waits', `${WAITING}.message`, /^couldn't find key a in ConfigMap missing\/late$/);
      await ns.kubectl('patch', 'configmap', 'late', '-p', '{"data":{"a":"1"}}');
      await ns.waitReady('waits');
      assert.equal(await inPod(ns, 'waits', 'echo $A'), '1');
    });

    test('emptyDir shared by two containers, in memory, and hostPath', async () => {
      const ns = await namespace('volumes');
      const folder = hostFolder('host-path');
      writeFileSync(join(folder, 'from-host'), 'hello\n');
      const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
      const reader = shell('reader', SLEEP, {
        volumeMounts: [
          ...volumeMounts,
          { name: 'memory', mountPath: '/memory' },
          { name: 'host', mountPath: '/host' },
          { name: 'host', mountPath: '/read-only', readOnly: true },
        ],
      });
      const writer = shell('writer', `while :; do date >/shared/date; sleep 0.2; done`, { volumeMounts });
      const volumes = [
        { name: 'shared', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
        { name: 'host', hostPath: { path: folder, type: 'Directory' } },
      ];
      await ns.apply(pod('volumes', { containers: [reader, writer], volumes }));
      await ns.waitReady('volumes');
      await until('what one container writes the other reads', async () =>
        /:\d\d/.test(await inPod(ns, 'volumes', 'cat /shared/date')),
      );
      assert.match(await inPod(ns, 'volumes', 'mount | grep " /memory "'), /tmpfs.*size=4096k/);
      assert.equal(await inPod(ns, 'volumes', 'cat /host/from-host; echo $HOSTNAME >/host/from-pod'), 'hello');
      assert.equal(readFileSync(join(folder, 'from-pod'), 'utf8'), 'volumes\n');
      await ns.assertRefused(/Read-only file system/, 'exec', 'volumes', '--', 'touch', '/read-only/x');

      const missing = [{ name: 'host', hostPath: { path: join(folder, 'none'), type: 'Directory' } }];
      await ns.apply(pod('no-folder', { containers: [shell('main', SLEEP)], volumes: missing }));
      await until('the mount fails', async () =>
        /FailedMount.*hostPath type check failed/.test(await ns.kubectl('events', '--for=pod/no-folder')),
      );
    });

    test('a token with which the API answers from inside', async () => {
      const ns = await namespace('token');
      await ns.kubectl('create', 'serviceaccount', 'robot');
      await ns.kubectl('create', 'rolebinding', 'robot', '--clusterrole=view', `--serviceaccount=${ns.name}:robot`);
      const { program } = await ensureKubectl();
      // Debian's kubectl needs the C library, which the image does not have.
      const folders = { kubectl: dirname(program), lib: '/lib', lib64: '/lib64' };
      const mounts = Object.entries(folders).filter(([, path]) => existsSync(path));
      const main = shell('main', SLEEP, {
        volumeMounts: mounts.map(([name]) => ({ name, mountPath: `/${name}`, readOnly: true })),
      });
      const volumes = mounts.map(([name, path]) => ({ name, hostPath: { path } }));
      await ns.apply(pod('robot', { serviceAccountName: 'robot', containers: [main], volumes }));
      await ns.waitReady('robot');

      const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
      const token = await inPod(ns, 'robot', `cat ${folder}/token`);
      assert.equal(await inPod(ns, 'robot', `cat ${folder}/namespace`), ns.name);
      const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
      const reviewed = await ns.kubectlWithInput(JSON.stringify(review), 'create', '-f', '-', '-o', 'json');
      const { status } = JSON.parse(reviewed) as { status: { authenticated: boolean; user: Record<string, unknown> } };
      assert.equal(status.authenticated, true);
      assert.equal(status.user['username'], `system:serviceaccount:${ns.name}:robot`);
      assert.deepEqual(status.user['groups'], [
        'system:serviceaccounts',
        `system:serviceaccounts:${ns.name}`,
        'system:authenticated',
      ]);
      const extra = status.user['extra'] as Record<string, string[]>;
      assert.deepEqual(extra['authentication.kubernetes.io/pod-name'], ['robot']);

      // In the Pod kubectl finds the API as every client does: by environment variables, with the files above.
      assert.equal(await inPod(ns, 'robot', '/kubectl/kubectl get pods -o name'), 'pod/robot');
      const named = `/kubectl/kubectl --server=https://kubernetes.default.svc --certificate-authority=${folder}/ca.crt --token=$(cat ${folder}/token)`;
      assert.match(await inPod(ns, 'robot', `${named} auth whoami`), /:robot$/m);
      await ns.assertRefused(
        /pods "robot" is forbidden: User "system:serviceaccount:token:robot" cannot delete resource "pods"/,
        ...['exec', 'robot', '--', '/kubectl/kubectl', 'delete', 'pod', 'robot'],
      );
    });

    test('the downward API', async () => {
      const ns = await namespace('downward');
      const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
      const main = shell('main', SLEEP, {
        resources: { requests: { cpu: '100m' }, limits: { memory: '64Mi' } },
        env: [
          field('NAME', 'metadata.name'),
          field('NAMESPACE', 'metadata.namespace'),
          field('POD_UID', 'metadata.uid'),
          field('NODE', 'spec.nodeName'),
          field('POD_IP', 'status.podIP'),
          field('HOST_IP', 'status.hostIP'),
          field('TIER', "metadata.labels['tier']"),
          { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
        ],
        volumeMounts: [{ name: 'info', mountPath: '/info' }],
      });
      const items = [
        { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
        { path: 'note', fieldRef: { fieldPath: "metadata.annotations['note']" } },
        { path: 'memory', resourceFieldRef: { containerName: 'main', resource: 'limits.memory' } },
      ];
      const spec = { containers: [main], volumes: [{ name: 'info', downwardAPI: { items } }] };
      await ns.apply(pod('downward', spec, { labels: { tier: 'edge' }, annotations: { note: 'first' } }));
      await ns.waitReady('downward');
      const status = '{.metadata.uid} {.spec.nodeName} {.status.podIP} {.status.hostIP}';
      assert.equal(
        await inPod(ns, 'downward', 'echo "$NAME $NAMESPACE $POD_UID $NODE $POD_IP $HOST_IP $TIER $MEMORY $CPU"'),
        `downward downward ${await ns.kubectl('get', 'pod/downward', '-o', `jsonpath=${status}`)} edge 64 100`,
      );
      assert.equal(
        await inPod(ns, 'downward', 'cd /info; cat labels; echo; cat note; echo; cat memory'),
        'tier="edge"\nfirst\n67108864',
      );
      await ns.kubectl('annotate', 'pod/downward', '--overwrite', 'note=second');
      await until('the file follows', async () => (await inPod(ns, 'downward', 'cat /info/note')) === 'second');
    });

    test('security context and limits', async () => {
      const ns = await namespace('security');
      const main = shell('main', SLEEP, {
        resources: { limits: { memory: '32Mi', cpu: '200m' } },
        securityContext: {
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      });
      const securityContext = { runAsUser: 1234, runAsGroup: 2345, fsGroup: 3456, supplementalGroups: [4567] };
      const volumes = [{ name: 'data', emptyDir: {} }];
      await ns.apply(pod('limited', { securityContext, containers: [main], volumes }));
      await ns.waitReady('limited');
      assert.equal(await inPod(ns, 'limited', 'id -u; id -g; id -G'), '1234\n2345\n2345 3456 4567');
      assert.equal(
        await inPod(ns, 'limited', 'touch /data/x; stat -c %u:%g /data/x; touch /x 2>/dev/null || echo refused'),
        '1234:3456\nrefused',
      );
      assert.match(await inPod(ns, 'limited', 'cat /proc/self/status'), /^CapEff:\s0{16}$[\s\S]*^NoNewPrivs:\s1$/m);
      const memory = 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true';
      assert.equal(await inPod(ns, 'limited', memory), String(32 * 2 ** 20));
      const cpu = 'cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || true';
      assert.match(await inPod(ns, 'limited', cpu), /^20000( 100000)?$/);
      assert.equal(await ns.read('pod/limited', '.status.qosClass'), 'Guaranteed');

      const greedy = {
        ...shell('main', '', { resources: { limits: { memory: '16Mi' } } }),
        // Looks for the last line of what has no end, in memory.
        command: ['tail', '/dev/zero'],
      };
      const root = shell('main', SLEEP, { securityContext: { runAsNonRoot: true } });
      await ns.apply(
        pod('greedy', { restartPolicy: 'Never', containers: [greedy] }),
        pod('root', { containers: [root] }),
      );
      const terminated = '.status.containerStatuses[0].state.terminated';
      await ns.waitFor('pod/greedy', `${terminated}.reason`, 'OOMKilled');
      assert.equal(await ns.read('pod/greedy', `${terminated}.exitCode`), '137');
      await ns.waitFor('pod/root', `${WAITING}.reason`, 'CreateContainerConfigError');
      assert.match(
        await ns.read('pod/root', `${WAITING}.message`),
        /container has runAsNonRoot and image will run as root/,
      );
    });

    test("the host's network", async () => {
      const ns = await namespace('host-network');
      const main = shell(
        'main',
        'mkdir /tmp/www; hostname >/tmp/www/index.html; exec httpd -f -p 127.0.0.1:18093 -h /tmp/www',
      );
      await ns.apply(pod('host', { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet', containers: [main] }));
      await ns.waitReady('host');
      const { podIP, hostIP } = JSON.parse(await ns.read('pod/host', '.status')) as Record<string, string>;
      assert.equal(podIP, hostIP);
      const page = await until('the host reaches it', () =>
        fetch('http://127.0.0.1:18093/').then((answer) => answer.text()),
      );
      assert.equal(page.trim(), await inPod(ns, 'host', 'hostname'));
      assert.match(await inPod(ns, 'host', 'ip address show dev cni0'), /inet 10\.42\.0\.1\//);
      assert.match(await inPod(ns, 'host', 'cat /etc/resolv.conf'), /^nameserver 10\.43\.0\.10$/m);
    });
  });

  describe('their life', { concurrency: 6 }, () => {
    test('init containers run in order, each to its end', async () => {
      const ns = await namespace('init');
      const volumeMounts = [{ name: 'work', mountPath: '/work' }];
      const step = (name: string, script: string) => shell(name, script, { volumeMounts });
      const spec = {
        restartPolicy: 'OnFailure',
        initContainers: [
          step('first', 'sleep 0.5; echo first >>/work/log'),
          // Fails once: it is this one that is repeated, not the one before it.
          step('second', 'echo second >>/work/log; [ "$(grep -c second /work/log)" = 2 ]'),
          { ...step('beside', `echo beside >>/work/log; ${FOREVER}`), restartPolicy: 'Always' },
          step('third', 'echo third >>/work/log'),
        ],
        containers: [step('main', 'echo main >>/work/log; cat /work/log')],
        volumes: [{ name: 'work', emptyDir: {} }],
      };
      await ns.apply(pod('ordered', spec));
      await ns.waitFor('pod/ordered', '.status.phase', 'Succeeded');
      assert.equal(await ns.kubectl('logs', 'ordered'), 'first\nsecond\nsecond\nbeside\nthird\nmain');
      assert.equal(await ns.read('pod/ordered', '.status.initContainerStatuses[*].restartCount'), '0 1 0 0');
      assert.match(await ns.kubectl('get', 'pods'), /^ordered +0\/2 +Completed /m);
    });

    test('a liveness probe that fails restarts the container', async () => {
      const ns = await namespace('liveness');
      const livenessProbe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, failureThreshold: 2 };
      await ns.apply(pod('live', { containers: [shell('main', SERVE_HOSTNAME, { livenessProbe })] }));
      await ns.waitReady('live');
      await inPod(ns, 'live', 'rm /tmp/www/index.html');
      await ns.waitFor('pod/live', RESTARTS, '1');
      await ns.waitReady('live');
      const events = await ns.kubectl('events', '--for=pod/live');
      assert.match(events, /Unhealthy .*Liveness probe failed: HTTP probe failed with statuscode: 404/);
      assert.match(events, /Killing .*Container main failed liveness probe, will be restarted/);
      assert.match(await ns.kubectl('describe', 'pod/live'), /Last State: +Terminated/);
    });

    test('a Pod that is not ready is taken out of the EndpointSlice, and comes back', async () => {
      const ns = await namespace('readiness');
      const readinessProbe = { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1 };
      const main = shell('main', `touch /tmp/ready; ${SERVE_HOSTNAME}`, { readinessProbe });
      await ns.apply(service('web', 'web'), pod('web', { containers: [main] }, { labels: { app: 'web' } }));
      await ns.waitReady('web');
      const conditions = '.items[*].endpoints[*].conditions.ready';
      const slices = [
        'get',
        'endpointslices',
        '-l',
        'kubernetes.io/service-name=web',
        '-o',
        `jsonpath={${conditions}}`,
      ];
      const page = async (): Promise<string> => {
        const answer = await fetch(`http://${await ns.read('service/web', '.spec.clusterIP')}/`, {
          signal: AbortSignal.timeout(1000),
        });
        return (await answer.text()).trim();
      };
      await until('it is in the slice', async () => (await ns.kubectl(...slices)) === 'true');
      await until('it serves', async () => (await page()) === 'web');
      await inPod(ns, 'web', 'rm /tmp/ready');
      await until('it is out', async () => (await ns.kubectl(...slices)) === 'false');
      assert.match(await ns.kubectl('get', 'pod/web'), / 0\/1 +Running +0 /);
      await until('the Service has nobody', () =>
        page().then(
          () => false,
          () => true,
        ),
      );
      await inPod(ns, 'web', 'touch /tmp/ready');
      await until('it is back', async () => (await ns.kubectl(...slices)) === 'true');
      await until('it serves again', async () => (await page()) === 'web');
    });

    test('restart policies', async () => {
      const ns = await namespace('restart');
      // Runs for longer than the shortest start, so that phases can be seen.
      const run = (name: string, restartPolicy: string, code: number) =>
        pod(name, { restartPolicy, containers: [shell('main', `sleep 0.3; exit ${code}`)] });
      await ns.apply(
        run('always-0', 'Always', 0),
        run('failure-0', 'OnFailure', 0),
        run('failure-3', 'OnFailure', 3),
        run('never-0', 'Never', 0),
        run('never-3', 'Never', 3),
      );
      await ns.waitFor('pod/always-0', RESTARTS, '1');
      await ns.waitFor('pod/failure-3', RESTARTS, '1');
      await ns.waitFor('pod/failure-0', '.status.phase', 'Succeeded');
      await ns.waitFor('pod/never-0', '.status.phase', 'Succeeded');
      await ns.waitFor('pod/never-3', '.status.phase', 'Failed');
      const table = await ns.kubectl('get', 'pods', '--no-headers');
      assert.match(table, /^always-0 +\d\/1 +(Running|Completed|CrashLoopBackOff) +1 /m);
      assert.match(table, /^failure-0 +0\/1 +Completed +0 /m);
      assert.match(table, /^failure-3 +\d\/1 +(Running|Error|CrashLoopBackOff) +1 /m);
      assert.match(table, /^never-0 +0\/1 +Completed +0 /m);
      assert.match(table, /^never-3 +0\/1 +Error +0 /m);
      const ended = '.status.containerStatuses[0].state.terminated';
      assert.equal(await ns.read('pod/never-3', `${ended}.exitCode`), '3');
      assert.equal(await ns.read('pod/never-3', `${ended}.reason`), 'Error');
      assert.equal(await ns.read('pod/failure-3', '.status.phase'), 'Running');
    });

    test('a container that keeps failing waits 10 s, then 20 s', async (t) => {
      const ns = await namespace('crash');
      const folder = hostFolder('crash');
      const main = shell('main', 'echo "$(cut -d" " -f1 /proc/uptime)" >>/host/starts; exit 5', {
        volumeMounts: [{ name: 'host', mountPath: '/host' }],
      });
      await ns.apply(pod('crash', { containers: [main], volumes: [{ name: 'host', hostPath: { path: folder } }] }));
      const starts = (): number[] => readFileSync(join(folder, 'starts'), 'utf8').trim().split('\n').map(Number);
      const message = (wait: string): RegExp =>
        new RegExp(`^back-off ${wait} restarting failed container=main pod=crash_crash\\([0-9a-f-]{36}\\)$`);
      await ns.waitFor('pod/crash', `${WAITING}.message`, message('10s'));
      assert.match(await ns.kubectl('get', 'pods'), /^crash +0\/1 +CrashLoopBackOff +1 \(\d+s ago\) /m);
      await until('it is started a third time', () => starts().length === 3, SLOW_LOOK);
      await ns.waitFor('pod/crash', `${WAITING}.message`, message('20s'));
      await until('it is started a fourth time', () => starts().length === 4, SLOW_LOOK);
      const waits = starts().map((at, index, all) => at - (all[index - 1] ?? at));
      t.diagnostic(`seconds between starts: ${waits.slice(1).map((wait) => wait.toFixed(2))}`);
      const [, first = 0, second = 0, third = 0] = waits;
      // Waits count from the container's end, which comes some 0.1 s after its start; starting it takes another moment.
      // On a busy machine that moment is long: each wait is told from the next one.
      assert.ok(first < 10, `the first restart is immediate: ${first} s`);
      assert.ok(second >= 10 && second < 20, `${second} s`);
      assert.ok(third >= 20 && third < 40, `${third} s`);
      await ns.waitFor('pod/crash', `${WAITING}.message`, message('40s'));
      const events = await ns.kubectl('events', '--for=pod/crash');
      assert.match(events, /Warning +BackOff .*Back-off restarting failed container main in pod crash_crash\(/);
      assert.equal(await ns.read('pod/crash', '.status.containerStatuses[0].lastState.terminated.exitCode'), '5');
    });

    test('a Pod ends in good order', async () => {
      const ns = await namespace('end');
      const folder = hostFolder('end');
      const volumeMounts = [{ name: 'host', mountPath: '/host' }];
      const lifecycle = {
        postStart: { exec: { command: ['sh', '-c', 'echo postStart >>/host/log'] } },
        preStop: { exec: { command: ['sh', '-c', 'echo preStop >>/host/log; sleep 0.5'] } },
      };
      const polite = shell('main', 'trap "echo SIGTERM >>/host/log; exit 0" TERM; while :; do sleep 0.1; done', {
        lifecycle,
        volumeMounts,
      });
      const deaf = shell('main', 'trap "echo deaf >>/host/deaf" TERM; while :; do sleep 0.1; done', { volumeMounts });
      const volumes = [{ name: 'host', hostPath: { path: folder } }];
      await ns.apply(
        pod('polite', { terminationGracePeriodSeconds: 30, containers: [polite], volumes }),
        pod('deaf', { terminationGracePeriodSeconds: 3, containers: [deaf], volumes }),
      );
      await ns.waitReady('polite');
      await ns.waitReady('deaf');
      const begun = Date.now();
      await ns.kubectl('delete', 'pod', 'polite', 'deaf', '--wait=false');
      assert.match(await ns.kubectl('get', 'pods'), /^deaf +1\/1 +Terminating /m);
      await ns.kubectl('wait', '--for=delete', 'pod/polite');
      assert.ok(Date.now() - begun < 10_000, 'the grace period is not sat out');
      assert.equal(readFileSync(join(folder, 'log'), 'utf8'), 'postStart\npreStop\nSIGTERM\n');
      await ns.kubectl('wait', '--for=delete', 'pod/deaf');
      const took = Date.now() - begun;
      assert.ok(took >= 3000 && took < 12_000, `SIGKILL ends the grace period: ${took} ms`);
      assert.equal(readFileSync(join(folder, 'deaf'), 'utf8'), 'deaf\n');
    });

    test('images: what cannot be had is told; an archive dropped into the folder is imported', async () => {
      const ns = await namespace('images');
      const image = 'kedge.dev/test/dropped:1';
      const unreachable = '127.0.0.1:1/none:1';
      await ns.apply(
        pod('pull', { containers: [shell('main', SLEEP, { image: unreachable })] }),
        pod('dropped', { containers: [shell('main', SLEEP, { image, imagePullPolicy: 'Never' })] }),
        pod('name', { containers: [shell('main', SLEEP, { image: 'No Such Name' })] }),
      );
      await ns.waitFor('pod/dropped', `${WAITING}.reason`, 'ErrImageNeverPull');
      assert.equal(
        await ns.read('pod/dropped', `${WAITING}.message`),
        `Container image "${image}" is not present with pull policy of Never`,
      );
      const { images } = pathsFor(kedge().dataDir);
      writeFileSync(join(images, 'dropped.tar.new'), busyboxArchive(image));
      renameSync(join(images, 'dropped.tar.new'), join(images, 'dropped.tar'));

      await ns.waitFor('pod/name', `${WAITING}.reason`, 'InvalidImageName');
      await ns.waitFor('pod/pull', `${WAITING}.reason`, 'ImagePullBackOff');
      assert.match(
        await ns.read('pod/pull', `${WAITING}.message`),
        /^Back-off pulling image "127\.0\.0\.1:1\/none:1": ErrImagePull: .*connection refused/,
      );
      const events = await ns.kubectl('events', '--for=pod/pull');
      assert.match(events, /Normal +Pulling .*Pulling image "127\.0\.0\.1:1\/none:1"/);
      assert.match(events, /Warning +Failed .*Failed to pull image "127\.0\.0\.1:1\/none:1": .*connection refused/);
      assert.match(events, /Warning +Failed .*Error: ErrImagePull/);
      assert.match(events, /Normal +BackOff .*Back-off pulling image "127\.0\.0\.1:1\/none:1"/);
      assert.match(events, /Warning +Failed .*Error: ImagePullBackOff/);

      await ns.waitReady('dropped');
      await ns.kubectl('set', 'image', 'pod/pull', `main=${BUSYBOX_IMAGE}`);
      await ns.waitReady('pull');
    });
  });

  test('kedge has found nothing wrong with itself', () => {
    assert.deepEqual(
      kedge()
        .log.split('\n')
        .filter((line) => line !== '' && !/^time=\S+ level=(info|warn) /.test(line)),
      [],
    );
  });
});
