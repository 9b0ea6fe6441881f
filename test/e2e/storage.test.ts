import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pathsFor } from '../../pkg/base/paths.ts';
import { pod, shell } from './lib/manifests.ts';
import { type Manifest, Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';
import { useKedge } from './lib/use-kedge.ts';

const SLEEP = 'exec sleep 3600';
const MOUNT = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };

function claim(name: string, fields: object = {}): Manifest {
  const resources = { requests: { storage: '10Mi' } };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources, ...fields },
  };
}

const claimVolume = (claimName: string): object => ({ name: 'data', persistentVolumeClaim: { claimName } });

/** Data that outlive Pods: the class local-path, and volumes made by hand. */
describe('storage', () => {
  const kedge = useKedge();
  let root: string;

  before(() => {
    root = pathsFor(kedge().dataDir).storage;
  });

  const folders = (): string[] => (existsSync(root) ? readdirSync(root) : []);
  const folderOf = (ns: Namespace, name: string): string | undefined =>
    folders().find((folder) => folder.endsWith(`_${ns.name}_${name}`));

  function workload(name: string, script: string, spec: object = {}): Manifest {
    const labels = { app: name };
    const container = shell('main', script, MOUNT);
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [container],
            volumes: [claimVolume(name)],
            ...spec,
          },
        },
      },
    };
  }

  test('data outlive the Pod, and go with the claim', async () => {
    const ns = await Namespace.create(kedge(), 'data');
    const script = `date +%s%N >>/data/starts; ${SLEEP}`;
    const securityContext = { runAsUser: 1000, runAsGroup: 1000 };
    await ns.apply(claim('web'), workload('web', script, { securityContext }));
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const folder = folderOf(ns, 'web');
    assert.ok(folder !== undefined, `a folder in ${root}`);
    const starts = (): number =>
      readFileSync(join(root, folder, 'starts'), 'utf8')
        .trim()
        .split('\n').length;
    await until('the Pod has written', () => starts() === 1);

    await ns.kubectl('delete', 'pod', '-l', 'app=web', '--wait');
    await until('the next Pod has added to it', () => starts() === 2);

    const listed = await ns.kubectl('get', 'pvc,pv,storageclass');
    assert.match(listed, /persistentvolumeclaim\/web +Bound +pvc-\S+ +10Mi +RWO +local-path +<unset> /);
    assert.match(listed, /persistentvolume\/pvc-\S+ +10Mi +RWO +Delete +Bound +data\/web +local-path +<unset> /);
    assert.match(
      listed,
      /storageclass\.storage\.k8s\.io\/local-path \(default\) +rancher\.io\/local-path +Delete +WaitForFirstConsumer +false /,
    );
    const described = await ns.kubectl('describe', 'pvc', 'web');
    assert.match(described, /Used By: +web-/);
    for (const reason of [
      'WaitForFirstConsumer|WaitForPodScheduled',
      'ExternalProvisioning',
      'Provisioning',
      'ProvisioningSucceeded',
    ]) {
      assert.match(described, new RegExp(`Normal +(${reason}) `));
    }

    // A claim in use waits for its Pods.
    await ns.kubectl('delete', 'pvc', 'web', '--wait=false');
    await ns.waitFor('pvc/web', '.metadata.finalizers[*]', 'kubernetes.io/pvc-protection');
    assert.match(await ns.kubectl('get', 'pvc', 'web'), / Terminating /);
    assert.ok(existsSync(join(root, folder, 'starts')));
    await ns.kubectl('delete', 'deployment', 'web');
    await until('the claim is gone', async () => (await ns.kubectl('get', 'pvc', '-o', 'name')) === '');
    await until('its folder is gone', () => !existsSync(join(root, folder)));
    await until('its volume is gone', async () => !(await ns.kubectl('get', 'pv', '-o', 'name')).includes('pvc-'));
  });

  test('a StatefulSet has a claim for each of its places; whenScaled lets them go', async () => {
    const ns = await Namespace.create(kedge(), 'stateful');
    const labels = { app: 'db' };
    const mounts = { volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'deep/er' }] };
    await ns.apply({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db' },
      spec: {
        replicas: 2,
        serviceName: 'db',
        selector: { matchLabels: labels },
        persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Retain' },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 0,
            securityContext: { fsGroup: 4321 },
            containers: [shell('main', `hostname >>/data/name; ${SLEEP}`, mounts)],
          },
        },
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim('')['spec'] }],
      },
    });
    await ns.kubectl('rollout', 'status', 'statefulset/db', '--timeout=60s');
    const second = folderOf(ns, 'data-db-1') ?? '';
    assert.equal(readFileSync(join(root, second, 'deep/er/name'), 'utf8'), 'db-1\n');
    assert.equal(statSync(join(root, second)).gid, 4321);
    await ns.kubectl('delete', 'pod', 'db-1', '--wait');
    await ns.waitReady('db-1');
    assert.equal(readFileSync(join(root, second, 'deep/er/name'), 'utf8'), 'db-1\ndb-1\n');
    await ns.kubectl('scale', 'statefulset/db', '--replicas=1');
    await until('the second folder is gone', () => !existsSync(join(root, second)));
    await ns.kubectl('delete', 'statefulset', 'db');
    await ns.kubectl('wait', '--for=delete', 'pod/db-0', '--timeout=30s');
    assert.equal(await ns.kubectl('get', 'pvc', '-o', 'name'), 'persistentvolumeclaim/data-db-0');
    assert.ok(folderOf(ns, 'data-db-0') !== undefined, 'the first one stays');
  });

  test('kedge is killed while volumes are made and removed: nothing is left half done', async () => {
    const ns = await Namespace.create(kedge(), 'killed');
    for (const patience of [20, 150]) {
      const name = `after-${patience}`;
      await ns.apply(claim(name), workload(name, `echo ok >/data/file; ${SLEEP}`));
      await delay(patience);
      await kedge().stop('SIGKILL');
      await kedge().restart();
      await ns.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=60s');
      const folder = folderOf(ns, name) ?? '';
      await until('the file is there', () => existsSync(join(root, folder, 'file')));
      // Enough to be at it for a while.
      for (let index = 0; index < 5000; index++) writeFileSync(join(root, folder, String(index)), '');
      await ns.kubectl('delete', 'deployment', name);
      await ns.kubectl('delete', 'pvc', name, '--wait=false');
      await delay(patience);
      await kedge().stop('SIGKILL');
      await kedge().restart();
      await until(`the folder of ${name} is gone`, () => folderOf(ns, name) === undefined);
    }
    const left = async (): Promise<string> => ns.kubectl('get', 'pv', '-o', 'jsonpath={.items[*].spec.claimRef.name}');
    await until('no volume is left', async () => !(await left()).includes('after-'));
    assert.deepEqual(
      folders().filter((folder) => folder.includes('_killed_')),
      [],
    );
  });

  test('Retain keeps the data; a volume is used again by hand', async () => {
    const ns = await Namespace.create(kedge(), 'retain');
    await ns.apply(
      {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata: { name: 'kept' },
        provisioner: 'rancher.io/local-path',
        reclaimPolicy: 'Retain',
        volumeBindingMode: 'WaitForFirstConsumer',
      },
      claim('kept', { storageClassName: 'kept' }),
      pod('first', {
        containers: [shell('main', `echo kept >/data/file; ${SLEEP}`, MOUNT)],
        volumes: [claimVolume('kept')],
      }),
    );
    await ns.waitReady('first');
    const folder = join(root, folderOf(ns, 'kept') ?? '');
    const volume = await ns.read('pvc/kept', '.spec.volumeName');
    assert.match(await ns.read(`pv/${volume}`, '.spec.hostPath.path'), /_retain_kept$/);
    await ns.kubectl('delete', 'pod/first', 'pvc/kept');
    await ns.waitFor(`pv/${volume}`, '.status.phase', 'Released');
    await delay(500);
    assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'kept\n');
    await ns.kubectl('patch', 'pv', volume, '-p', '{"spec":{"claimRef":null}}');
    await ns.waitFor(`pv/${volume}`, '.status.phase', 'Available');
    await ns.apply(
      claim('again', { storageClassName: 'kept', volumeName: volume }),
      pod('second', { containers: [shell('main', SLEEP, MOUNT)], volumes: [claimVolume('again')] }),
    );
    await ns.waitReady('second');
    assert.equal(await ns.kubectl('exec', 'second', '--', 'cat', '/data/file'), 'kept');
    await ns.kubectl('delete', 'pod/second', 'pvc/again');
    await ns.kubectl('delete', 'pv', volume);
    assert.ok(existsSync(folder), 'who keeps his data removes them himself');
  });

  test('an ephemeral volume lives as long as its Pod', async () => {
    const ns = await Namespace.create(kedge(), 'ephemeral');
    const { spec } = claim('');
    const volumes = [{ name: 'data', ephemeral: { volumeClaimTemplate: { spec } } }];
    await ns.apply(pod('scratch', { containers: [shell('main', `echo x >/data/file; ${SLEEP}`, MOUNT)], volumes }));
    await ns.waitReady('scratch');
    assert.ok(folderOf(ns, 'scratch-data') !== undefined);
    await ns.kubectl('delete', 'pod', 'scratch');
    await until('its folder is gone', () => folderOf(ns, 'scratch-data') === undefined);
  });

  test('what cannot be mounted is told', async () => {
    const ns = await Namespace.create(kedge(), 'refused');
    const volume = (name: string, source: object): Manifest => ({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'manual',
        claimRef: { namespace: 'refused', name },
        ...source,
      },
    });
    const cases = [
      ['csi', { csi: { driver: 'disks.example.com', volumeHandle: 'h' } }, /kedge does not support CSI yet/],
      ['block', { volumeMode: 'Block', hostPath: { path: '/tmp' } }, /volumeMode Block, which kedge does not support/],
      ['missing', { hostPath: { path: join(kedge().folder, 'no'), type: 'Directory' } }, /is not a directory/],
    ] as const;
    for (const [name, source] of cases) {
      const { volumeMode = 'Filesystem' } = source as { volumeMode?: string };
      const devices = { volumeDevices: [{ name: 'data', devicePath: '/dev/x' }] };
      const container = shell('main', SLEEP, volumeMode === 'Block' ? devices : MOUNT);
      await ns.apply(
        volume(name, source),
        claim(name, { storageClassName: 'manual', volumeMode }),
        pod(name, { containers: [container], volumes: [claimVolume(name)] }),
      );
    }
    for (const [name, , message] of cases) {
      const told = async (): Promise<boolean> => {
        const field = `involvedObject.name=${name},reason=FailedMount`;
        return message.test(
          await ns.kubectl('get', 'events', '--field-selector', field, '-o', 'jsonpath={.items[*].message}'),
        );
      };
      await until(`${message} is told of ${name}`, told);
    }
    await ns.kubectl('delete', 'pods', '--all', '--grace-period=0');
    await ns.kubectl('delete', 'pvc', '--all');
    await ns.kubectl('delete', 'pv', ...cases.map(([name]) => name));
  });
});
