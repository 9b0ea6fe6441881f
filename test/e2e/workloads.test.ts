import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BUSYBOX_IMAGE, busyboxArchive } from '../../packaging/images/busybox.ts';
import { pathsFor } from '../../pkg/base/paths.ts';
import { deployment, pod, service, shell } from './lib/manifests.ts';
import { Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';
import { useKedge } from './lib/use-kedge.ts';

const SLEEP = 'exec sleep 3600';
const OTHER_IMAGE = 'kedge.dev/test/busybox:2';

/** What the controllers make of workloads: roll-outs, healing, garbage collection. */
describe('workloads', { concurrency: 4 }, () => {
  const kedge = useKedge();

  async function names(ns: Namespace, ...selection: string[]): Promise<string[]> {
    const text = await ns.kubectl('get', ...selection, '-o', 'jsonpath={.items[*].metadata.name}');
    return text === '' ? [] : text.split(' ').sort();
  }

  test('a roll-out: set image, status, history, undo, restart', async () => {
    // An image that is dropped into the folder while kedge runs is imported as well.
    writeFileSync(join(pathsFor(kedge().dataDir).images, 'other.tar'), busyboxArchive(OTHER_IMAGE));
    const ns = await Namespace.create(kedge(), 'rollout');
    await ns.apply(deployment('web', 2, SLEEP));
    const finished = async (): Promise<string> => ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.match(await finished(), /deployment "web" successfully rolled out/);
    const [first] = await names(ns, 'replicasets');

    await ns.kubectl('set', 'image', 'deployment/web', `main=${OTHER_IMAGE}`);
    await finished();
    await ns.kubectl('annotate', 'deployment/web', 'kubernetes.io/change-cause=newer image');
    await ns.waitFor('pods', '.items[*].spec.containers[0].image', `${OTHER_IMAGE} ${OTHER_IMAGE}`);
    assert.equal(await ns.read(`replicaset/${first}`, '.status.replicas'), '0', 'the old one is scaled down');

    const history = await ns.kubectl('rollout', 'history', 'deployment/web');
    assert.match(history, /^1 +<none>\n2 +newer image$/m);
    assert.match(
      await ns.kubectl('rollout', 'history', 'deployment/web', '--revision=2'),
      /Image:\s+kedge.dev\/test\/busybox:2/,
    );

    await ns.kubectl('rollout', 'undo', 'deployment/web');
    await finished();
    assert.equal(await ns.read('deployment/web', '.spec.template.spec.containers[0].image'), BUSYBOX_IMAGE);
    assert.equal(await ns.read(`replicaset/${first}`, '.status.readyReplicas'), '2', 'the first one is taken again');
    assert.match(await ns.kubectl('rollout', 'history', 'deployment/web'), /^2 +newer image\n3 /m);

    await ns.kubectl('rollout', 'restart', 'deployment/web');
    await finished();
    assert.equal((await names(ns, 'replicasets')).length, 3);
    await ns.kubectl('rollout', 'pause', 'deployment/web');
    await ns.kubectl('set', 'env', 'deployment/web', 'COLOR=red');
    await ns.waitFor('deployment/web', '.status.conditions[?(@.type=="Progressing")].reason', 'DeploymentPaused');
    assert.equal((await names(ns, 'replicasets')).length, 3);
    await ns.kubectl('rollout', 'resume', 'deployment/web');
    await finished();
    assert.equal((await names(ns, 'replicasets')).length, 4);
  });

  test('a roll-out that cannot succeed leaves the old Pods running', async () => {
    const ns = await Namespace.create(kedge(), 'stuck');
    const fields = { spec: { progressDeadlineSeconds: 3 } };
    await ns.apply(deployment('web', 2, SLEEP));
    // Only the next roll-out has so little time: on a busy machine the first one would not make it.
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
    await ns.kubectl('patch', 'deployment/web', '-p', JSON.stringify(fields));
    await ns.kubectl('set', 'image', 'deployment/web', 'main=localhost:1/none:1');
    await ns.assertRefused(/exceeded its progress deadline/, 'rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.equal(await ns.read('deployment/web', '.status.availableReplicas'), '2');
  });

  test('scale up and down, healing, taking over', async () => {
    const ns = await Namespace.create(kedge(), 'scale');
    await ns.apply(deployment('web', 3, SLEEP), service('web', 'web'));
    const settled = async (count: number): Promise<string[]> => {
      await ns.waitFor('deployment/web', '.status.availableReplicas', count === 0 ? '' : String(count));
      return until(`${count} Pods`, async () => {
        const found = await names(ns, 'pods');
        return found.length === count ? found : undefined;
      });
    };
    const pods = await settled(3);
    await ns.kubectl('delete', 'pod', pods[0] ?? '');
    const healed = await settled(3);
    assert.ok(!healed.includes(pods[0] ?? '') && healed.filter((name) => pods.includes(name)).length === 2);
    await ns.waitFor('endpointslices', '.items[0].endpoints[*].conditions.ready', 'true true true');

    await ns.kubectl('scale', 'deployment/web', '--replicas=5');
    await settled(5);
    await ns.kubectl('scale', 'deployment/web', '--replicas=1', '--current-replicas=5');
    await settled(1);
    await ns.waitFor('endpointslices', '.items[0].endpoints[*].conditions.ready', 'true');

    // A Pod whose labels no longer match is let go and replaced; one that matches and has no owner is taken.
    const [only = ''] = await names(ns, 'pods');
    await ns.kubectl('label', '--overwrite', `pod/${only}`, 'app=else');
    await ns.waitFor(`pod/${only}`, '.metadata.ownerReferences', '');
    await until('a replacement', async () => (await names(ns, 'pods', '-l', 'app=web')).length === 1);
    await ns.kubectl('scale', 'deployment/web', '--replicas=0');
    await until('no Pods', async () => (await names(ns, 'pods', '-l', 'app=web')).length === 0);
    assert.deepEqual(await names(ns, 'pods'), [only]);
  });

  test('a deleted Deployment takes its Pods with it, in three ways', async () => {
    const ns = await Namespace.create(kedge(), 'collect');
    for (const name of ['background', 'foreground', 'orphan']) {
      await ns.apply(deployment(name, 1, SLEEP));
    }
    for (const name of ['background', 'foreground', 'orphan']) {
      await ns.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
      await ns.kubectl('delete', 'deployment', name, `--cascade=${name}`);
    }
    await ns.assertRefused(/not found/, 'get', 'deployment', 'foreground');
    assert.deepEqual(await names(ns, 'pods,replicasets', '-l', 'app=foreground'), [], 'they go first');
    await until(
      'the others are collected',
      async () => (await names(ns, 'pods,replicasets', '-l', 'app=background')).length === 0,
    );
    const [set = ''] = await names(ns, 'replicasets');
    assert.match(set, /^orphan-/);
    assert.equal(await ns.read(`replicaset/${set}`, '.metadata.ownerReferences'), '');
    assert.equal((await names(ns, 'pods')).length, 1);
  });

  test('a deleted namespace empties itself', async () => {
    const ns = await Namespace.create(kedge(), 'doomed');
    await ns.apply(
      deployment('web', 2, SLEEP),
      service('web', 'web'),
      pod('alone', { containers: [shell('main', SLEEP)] }),
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', finalizers: ['example.test/hold'] } },
    );
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    await ns.kubectl('delete', 'namespace', 'doomed', '--wait=false');
    await ns.waitFor(
      'namespace/doomed',
      '.status.conditions[?(@.type=="NamespaceFinalizersRemaining")].status',
      'True',
    );
    assert.equal(await ns.read('namespace/doomed', '.status.phase'), 'Terminating');
    await ns.assertRefused(/because it is being terminated/, 'create', 'configmap', 'late');
    await ns.kubectl('patch', 'configmap/held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await ns.kubectl('wait', '--for=delete', 'namespace/doomed', '--timeout=30s');
    assert.deepEqual(await names(ns, 'pods,deployments,replicasets,services,configmaps,endpointslices'), []);
  });

  test('Pods that the node refuses are made anew until they fit', async () => {
    const ns = await Namespace.create(kedge(), 'refused');
    const nodeName = await ns.kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}');
    const spec = (...hostPorts: number[]) => {
      const ports = hostPorts.map((hostPort) => ({ containerPort: hostPort, hostPort }));
      return { nodeName, terminationGracePeriodSeconds: 1, containers: [shell('main', SLEEP, { ports })] };
    };
    const workload = (kind: string, name: string, hostPort: number, fields: Record<string, unknown>) => {
      const metadata = { name, labels: { app: name } };
      const template = { metadata, spec: spec(hostPort) };
      const selector = { matchLabels: metadata.labels };
      return { apiVersion: 'apps/v1', kind, metadata, spec: { selector, template, ...fields } };
    };
    await ns.apply(pod('holder', spec(21_017, 21_018)));
    await ns.waitReady('holder');
    await ns.apply(
      workload('StatefulSet', 'stateful', 21_017, { serviceName: 'none' }),
      workload('DaemonSet', 'daemon', 21_018, {}),
    );
    const refused = async (selection: string): Promise<Set<string>> => {
      const path = 'jsonpath={.items[*].involvedObject.uid}';
      return new Set((await ns.kubectl('get', 'events', '--field-selector', selection, '-o', path)).split(' '));
    };
    await until('a second Pod of the StatefulSet', async () => {
      return (await refused('reason=NodePorts,involvedObject.name=stateful-0')).size > 1;
    });
    await until('a second Pod of the DaemonSet', async () => {
      return (await refused('reason=NodePorts,involvedObject.name!=stateful-0')).size > 1;
    });
    await ns.kubectl('delete', 'pod/holder');
    await ns.waitFor('statefulset/stateful', '.status.readyReplicas', '1');
    await ns.waitFor('daemonset/daemon', '.status.numberReady', '1');
    await ns.kubectl('delete', 'statefulset/stateful', 'daemonset/daemon');
  });

  test('Pods that fit nowhere say why', async () => {
    const ns = await Namespace.create(kedge(), 'pending');
    const containers = [shell('main', SLEEP, { resources: { requests: { cpu: '1000' } } })];
    await ns.apply(
      pod('big', { containers }),
      pod('elsewhere', { containers: [shell('main', SLEEP)], nodeSelector: { disk: 'fast' } }),
    );
    const reason = '.status.conditions[?(@.type=="PodScheduled")].message';
    await ns.waitFor('pod/big', reason, /^0\/1 nodes are available: 1 Insufficient cpu\./);
    await ns.waitFor(
      'pod/elsewhere',
      reason,
      /^0\/1 nodes are available: 1 node\(s\) didn't match Pod's node affinity\/selector\./,
    );
    const node = await ns.kubectl('get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}');
    await ns.kubectl('label', 'node', node, 'disk=fast');
    await ns.waitReady('elsewhere');
    await ns.kubectl('cordon', node);
    try {
      await ns.apply(pod('late', { containers: [shell('main', SLEEP)] }));
      await ns.waitFor('pod/late', reason, /1 node\(s\) were unschedulable/);
    } finally {
      await ns.kubectl('uncordon', node);
    }
    await ns.waitReady('late');
  });
});
