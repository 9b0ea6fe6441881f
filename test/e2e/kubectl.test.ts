import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BUSYBOX_IMAGE } from '../../packaging/images/busybox.ts';
import type { Kedge } from './lib/kedge.ts';
import { deployment, pod, service, shell } from './lib/manifests.ts';
import { Namespace } from './lib/namespace.ts';
import { useKedge } from './lib/use-kedge.ts';

const SLEEP = 'exec sleep 3600';

/** The everyday commands, with the kubectl of kedge's own Kubernetes release and with the one an older system has. */
describe('kubectl', () => {
  const kedge = useKedge();
  for (const version of ['sid', 'system'] as const) {
    describe(version === 'sid' ? 'of the same release' : 'of the system', { concurrency: 4 }, () =>
      everydayCommands(kedge, version),
    );
  }
});

function everydayCommands(kedge: () => Kedge, version: 'sid' | 'system'): void {
  async function namespace(name: string): Promise<Namespace> {
    return Namespace.create(kedge(), `${version}-${name}`, { version });
  }

  function kubectl(...args: string[]): Promise<string> {
    return kedge().kubectl(args, { version });
  }

  test('what the cluster is', async () => {
    assert.match(await kubectl('get', 'nodes'), /^\S+ +Ready +control-plane /m);
    assert.match(
      await kubectl('cluster-info'),
      /Kubernetes control plane.* is running at .*https:\/\/127\.0\.0\.1:6443/,
    );
    assert.match(await kubectl('version'), /Server Version: v1\.36\.\d+\+kedge/);
    assert.match(await kubectl('api-resources'), /^deployments +deploy +apps\/v1 +true +Deployment$/m);
    assert.match(await kubectl('api-resources', '--namespaced=false'), /^nodes +no +v1 +false +Node$/m);
    const versions = (await kubectl('api-versions')).split('\n');
    for (const known of ['v1', 'apps/v1', 'batch/v1', 'discovery.k8s.io/v1', 'rbac.authorization.k8s.io/v1']) {
      assert.ok(versions.includes(known), `api-versions names ${known}`);
    }
  });

  test('explain describes fields', async () => {
    const containers = await kubectl('explain', 'pod.spec.containers');
    assert.match(containers, /^FIELD: containers <\[\]Container>$/m);
    assert.match(containers, /^DESCRIPTION:\n +List of containers belonging to the pod/m);
    assert.match(containers, /^ {2}name\t<string> -required-$/m);
    assert.match(containers, /^ {2}livenessProbe\t<Probe>$/m);
    assert.match(await kubectl('explain', 'deployment.spec', '--recursive'), /maxSurge\t<IntOrString>/);
    assert.match(await kubectl('explain', 'node'), /^KIND: +Node\nVERSION: +v1$/m);
    const policy = await kubectl('explain', 'pod.spec.restartPolicy');
    assert.match(policy, /^ENUM:\n +Always\n +Never\n +OnFailure$/m);
    assert.match(await kubectl('explain', 'pod.spec.affinity'), /If specified, the pod's scheduling constraints\n/);
  });

  test('create makes the simple things', async () => {
    const ns = await namespace('create');
    await kubectl('create', 'namespace', `${ns.name}-2`);
    assert.equal(await kubectl('get', 'namespace', `${ns.name}-2`, '-o', 'jsonpath={.status.phase}'), 'Active');
    await kubectl('delete', 'namespace', `${ns.name}-2`, '--wait=false');

    const file = join(kedge().folder, `${version}.properties`);
    writeFileSync(file, 'color=blue\n');
    await ns.kubectl('create', 'configmap', 'settings', '--from-literal=a=1', `--from-file=app.properties=${file}`);
    assert.equal(await ns.read('configmap/settings', '.data'), '{"a":"1","app.properties":"color=blue\\n"}');
    await ns.kubectl('create', 'secret', 'generic', 'password', '--from-literal=word=open sesame');
    assert.equal(await ns.read('secret/password', '.data.word'), Buffer.from('open sesame').toString('base64'));
    await ns.assertRefused(/"settings" already exists/, 'create', 'configmap', 'settings');

    await ns.kubectl('create', 'serviceaccount', 'robot');
    const token = await ns.kubectl('create', 'token', 'robot', '--duration=10m');
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
      string,
      unknown
    >;
    assert.equal(claims['sub'], `system:serviceaccount:${ns.name}:robot`);
    assert.equal(Number(claims['exp']) - Number(claims['iat']), 600);
    const who = await kubectl('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}');
    assert.equal(who, 'system:admin');
  });

  test('auth can-i', async () => {
    const ns = await namespace('auth');
    assert.equal(await ns.kubectl('auth', 'can-i', 'create', 'pods'), 'yes');
    assert.equal(await ns.kubectl('auth', 'can-i', '*', '*'), 'yes');
    const robot = `--as=system:serviceaccount:${ns.name}:robot`;
    await ns.kubectl('create', 'serviceaccount', 'robot');
    const refused = await ns.tryKubectl('auth', 'can-i', 'list', 'pods', robot);
    assert.deepEqual([refused.stdout.trim(), refused.code], ['no', 1]);
    await ns.assertRefused(
      /pods is forbidden: User "system:serviceaccount:\S+:robot" cannot list resource "pods" in API group "" in the namespace/,
      'get',
      'pods',
      robot,
    );
    await ns.kubectl('create', 'rolebinding', 'robot', '--clusterrole=view', `--serviceaccount=${ns.name}:robot`);
    assert.equal(await ns.kubectl('auth', 'can-i', 'list', 'pods', robot), 'yes');
    assert.equal(await ns.kubectl('get', 'pods', '-o', 'name', robot), '');
    assert.match(await ns.kubectl('auth', 'can-i', '--list', robot), /^pods +\[\] +\[\] +\[get list watch\]$/m);
  });

  test('get in every form', async () => {
    const ns = await namespace('get');
    await ns.apply(pod('one', { containers: [shell('main', SLEEP)] }, { labels: { app: 'one' } }));
    await ns.waitReady('one');
    assert.match(await ns.kubectl('get', 'pods'), /^NAME +READY +STATUS +RESTARTS +AGE\none +1\/1 +Running +0 +\d+s$/);
    assert.match(
      await ns.kubectl('get', 'pods', '-o', 'wide'),
      /^NAME .* IP +NODE +NOMINATED NODE +READINESS GATES\none .* 10\.42\.0\.\d+ +\S+ +<none> +<none>$/,
    );
    assert.match(await ns.kubectl('get', 'pods', '--show-labels'), / app=one$/m);
    assert.match(await ns.kubectl('get', 'pod/one', '-o', 'yaml'), /^apiVersion: v1\nkind: Pod\nmetadata:\n/);
    const json = JSON.parse(await ns.kubectl('get', 'pods', '-o', 'json')) as { kind: string; items: unknown[] };
    assert.deepEqual([json.kind, json.items.length], ['List', 1]);
    assert.equal(await ns.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}'), 'one');
    assert.equal(await ns.kubectl('get', 'pods', '-o', 'name'), 'pod/one');
    assert.equal(
      await ns.kubectl('get', 'pods', '-o', 'custom-columns=POD:.metadata.name,IMAGE:.spec.containers[0].image'),
      `POD   IMAGE\none   ${BUSYBOX_IMAGE}`,
    );
    assert.equal(await ns.kubectl('get', 'pods', '-l', 'app=one', '-o', 'name'), 'pod/one');
    assert.equal(await ns.kubectl('get', 'pods', '-l', 'app!=one', '-o', 'name'), '');
    assert.equal(await ns.kubectl('get', 'pods', '--field-selector=status.phase=Running', '-o', 'name'), 'pod/one');
    assert.match(await kubectl('get', 'pods', '-A'), new RegExp(`^${ns.name} +one `, 'm'));
    await ns.assertRefused(/pods "none" not found/, 'get', 'pod', 'none');
    await ns.assertRefused(/doesn't have a resource type "potato"/, 'get', 'potato');
  });

  test('get -w and wait follow what happens', async () => {
    const ns = await namespace('watch');
    const watch = ns.talk('get', 'pods', '-w', '--output-watch-events');
    const waiting = ns.kubectl('wait', '--for=create', 'pod/one', '--timeout=30s');
    await ns.apply(pod('one', { containers: [shell('main', SLEEP)] }));
    await waiting;
    await ns.kubectl('wait', '--for=condition=Ready', 'pod/one', '--timeout=30s');
    await ns.kubectl('wait', '--for=jsonpath={.status.phase}=Running', 'pod/one', '--timeout=30s');
    const gone = ns.kubectl('wait', '--for=delete', 'pod/one', '--timeout=30s');
    await ns.kubectl('delete', 'pod', 'one');
    await gone;
    await watch.hears(/^ADDED +one +0\/1 +Pending[\s\S]*^MODIFIED +one +1\/1 +Running[\s\S]*^DELETED +one /m);
    await watch.stop();
    await ns.assertRefused(
      /timed out|no matching resources|"one" not found/,
      'wait',
      '--for=condition=Ready',
      'pod/one',
      '--timeout=1s',
    );
  });

  test('label, annotate and the three kinds of patch', async () => {
    const ns = await namespace('patch');
    await ns.apply(deployment('web', 0, SLEEP));
    await ns.kubectl('label', 'deployment/web', 'tier=front', 'app-');
    assert.equal(await ns.read('deployment/web', '.metadata.labels'), '{"tier":"front"}');
    await ns.assertRefused(/already has a value|--overwrite is false/, 'label', 'deployment/web', 'tier=back');
    await ns.kubectl('label', '--overwrite', 'deployment/web', 'tier=back');
    await ns.kubectl('annotate', 'deployment/web', 'example.test/owner=me');
    assert.equal(await ns.read('deployment/web', '.metadata.annotations.example\\.test/owner'), 'me');

    const path = '.spec.template.spec.containers';
    const strategic = { spec: { template: { spec: { containers: [{ name: 'side', image: 'side:1' }] } } } };
    await ns.kubectl('patch', 'deployment/web', '-p', JSON.stringify(strategic));
    assert.equal(await ns.read('deployment/web', `${path}[*].name`), 'side main', 'lists are merged by their keys');
    const merge = { spec: { template: { spec: { containers: [{ name: 'only', image: 'only:1' }] } } } };
    await ns.kubectl('patch', 'deployment/web', '--type=merge', '-p', JSON.stringify(merge));
    assert.equal(await ns.read('deployment/web', `${path}[*].name`), 'only', 'lists are replaced');
    const json = [
      { op: 'test', path: '/spec/replicas', value: 0 },
      { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'other:2' },
    ];
    await ns.kubectl('patch', 'deployment/web', '--type=json', '-p', JSON.stringify(json));
    assert.equal(await ns.read('deployment/web', `${path}[*].image`), 'other:2');
    await ns.assertRefused(
      /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/,
      'patch',
      'deployment/web',
      '-p',
      '{"spec":{"replicas":-1}}',
    );
  });

  test('apply, diff and edit', async () => {
    const ns = await namespace('apply');
    const manifest = JSON.stringify(deployment('web', 0, SLEEP));
    const changed = manifest.replace('"replicas":0', '"replicas":0,"minReadySeconds":3');
    for (const flags of [[], ['--server-side']]) {
      const apply = (text: string): Promise<string> => ns.kubectlWithInput(text, 'apply', ...flags, '-f', '-');
      assert.match(await apply(manifest), flags.length === 0 ? / created$/ : / serverside-applied$/);
      assert.match(await apply(manifest), flags.length === 0 ? / unchanged$/ : / serverside-applied$/);
      await ns.kubectlWithInput(manifest, 'diff', ...flags, '-f', '-');
      const diff = await kedge().tryKubectl(['-n', ns.name, 'diff', ...flags, '-f', '-'], {
        version,
        input: changed,
      });
      assert.equal(diff.code, 1, diff.output);
      assert.match(diff.stdout, /^\+ {2}minReadySeconds: 3$/m);
      await apply(changed);
      assert.equal(await ns.read('deployment/web', '.spec.minReadySeconds'), '3');
      await apply(manifest);
      assert.equal(await ns.read('deployment/web', '.spec.minReadySeconds'), '', 'what is no longer applied goes');
      await ns.kubectl('delete', 'deployment', 'web');
    }
    await ns.kubectlWithInput(manifest, 'apply', '--server-side', '-f', '-');
    const other = manifest.replace('"replicas":0', '"replicas":5');
    const conflict = await kedge().tryKubectl(
      ['-n', ns.name, 'apply', '--server-side', '--field-manager=other', '-f', '-'],
      { version, input: other },
    );
    assert.match(conflict.output, /conflict with "kubectl": \.spec\.replicas/);

    const editor = scriptFile(
      kedge(),
      `${version}-editor`,
      'exec sed -i \'s/^  replicas: 0$/&\\n  minReadySeconds: 9/\' "$1"',
    );
    const edited = await ns.kedge.kubectl(['-n', ns.name, 'edit', 'deployment/web'], {
      version,
      env: { KUBE_EDITOR: editor },
    });
    assert.match(edited, /deployment\.apps\/web edited/);
    assert.equal(await ns.read('deployment/web', '.spec.minReadySeconds'), '9');
  });

  test('describe and events tell what happened', async () => {
    const ns = await namespace('describe');
    await ns.apply(
      deployment('web', 1, SLEEP),
      service('web', 'web'),
      pod('bad', { containers: [{ name: 'main', image: 'localhost:1/none:1' }] }),
    );
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=30s');
    assert.match(
      await ns.kubectl('describe', 'deployment/web'),
      /Replicas: +1 desired \| 1 updated \| 1 total \| 1 available/,
    );
    const described = await ns.kubectl('describe', 'pod', '-l', 'app=web');
    assert.match(described, /Controlled By: +ReplicaSet\/web-/);
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started']) {
      assert.match(described, new RegExp(`^ +Normal +${reason} `, 'm'));
    }
    assert.match(await ns.kubectl('describe', 'service/web'), /Endpoints: +10\.42\.0\.\d+:8080/);
    assert.match(await kubectl('describe', 'nodes'), /^ +Ready +True .* KubeletReady /m);
    await ns.waitFor(
      'pod/bad',
      '.status.containerStatuses[0].state.waiting.reason',
      /^(ErrImagePull|ImagePullBackOff)$/,
    );
    assert.match(
      await ns.kubectl('events', '--for=pod/bad'),
      /^\S+ +Warning +Failed +Pod\/bad +(Failed to pull|Error)/m,
    );
    assert.match(await ns.kubectl('get', 'events'), /ScalingReplicaSet +deployment\/web +Scaled up replica set/);
  });

  test('create deployment, expose, delete', async () => {
    const ns = await namespace('delete');
    await ns.kubectl('create', 'deployment', 'web', `--image=${BUSYBOX_IMAGE}`, '--replicas=2', '--', 'sleep', '3600');
    await ns.kubectl('expose', 'deployment/web', '--port=80', '--target-port=8080');
    assert.match(await ns.read('service/web', '.spec.clusterIP'), /^10\.43\./);
    assert.equal(await ns.read('service/web', '.spec.selector'), '{"app":"web"}');
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=30s');
    assert.equal((await ns.kubectl('get', 'pods', '-o', 'name')).split('\n').length, 2);
    await ns.kubectl('delete', 'deployment,service', 'web');
    await ns.assertRefused(/not found/, 'get', 'deployment/web', 'service/web');
    await ns.apply(pod('stubborn', { terminationGracePeriodSeconds: 600, containers: [shell('main', 'sleep 3600')] }));
    await ns.waitReady('stubborn');
    const answer = await ns.tryKubectl('delete', 'pod', 'stubborn', '--grace-period=0', '--force');
    assert.match(answer.output, /force deleted/);
    await ns.assertRefused(/"stubborn" not found/, 'get', 'pod', 'stubborn');
    await ns.assertRefused(/"nothing" not found/, 'delete', 'pod', 'nothing');
    await ns.kubectl('delete', 'pod', 'nothing', '--ignore-not-found');
  });
}

/** An executable shell script in the folder of the test. */
function scriptFile(kedge: Kedge, name: string, text: string): string {
  const file = join(kedge.folder, name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}
