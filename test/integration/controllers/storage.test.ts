import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../../pkg/api/generated/core-v1.ts';
import {
  events,
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  serviceAccounts,
  statefulSets,
  storageClasses,
} from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { StatusError } from '../../../pkg/apimachinery/status-error.ts';
import { type Cluster, startCluster, until } from './cluster.ts';

const namespace = 'store';
const ROOT = '/var/lib/kedge/storage';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster();
  cluster.playKubelets();
  await cluster.addNode('east', '4');
  await cluster.addNode('west', '4');
  await cluster.client.create(namespaces, { metadata: { name: namespace } });
  await until('default service account', () => cluster.client.informer(serviceAccounts).get('default', namespace));
});
after(() => cluster.stop());

const claimSpec = (size = '1Gi', more: object = {}): Input<PersistentVolumeClaim['spec']> => ({
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: size } },
  ...more,
});
const createClaim = (name: string, spec = claimSpec()): Promise<PersistentVolumeClaim> =>
  cluster.client.create(persistentVolumeClaims, { metadata: { name, namespace }, spec });
const claimNamed = (name: string): PersistentVolumeClaim | undefined =>
  cluster.client.informer(persistentVolumeClaims).get(name, namespace);
const volumeNamed = (name: string): PersistentVolume | undefined =>
  cluster.client.informer(persistentVolumes).get(name);
const boundClaim = (name: string): Promise<PersistentVolumeClaim> =>
  until(`claim ${name} is bound`, () => {
    const claim = claimNamed(name);
    return claim?.status.phase === 'Bound' ? claim : undefined;
  });
const phaseOf = (name: string, phase: string): Promise<PersistentVolume> =>
  until(`volume ${name} is ${phase}`, () => {
    const volume = volumeNamed(name);
    return volume?.status.phase === phase ? volume : undefined;
  });
const createVolume = (name: string, size: string, more: object = {}): Promise<PersistentVolume> =>
  cluster.client.create(persistentVolumes, {
    metadata: { name },
    spec: {
      capacity: { storage: size },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'manual',
      hostPath: { path: `/tmp/${name}` },
      ...more,
    },
  });
const createPod = (name: string, claimName: string, spec: object = {}): Promise<Pod> =>
  cluster.client.create(pods, {
    metadata: { name, namespace },
    spec: {
      containers: [{ name: 'c', image: 'app:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
      ...spec,
    },
  });
const podNamed = (name: string): Pod | undefined => cluster.client.informer(pods).get(name, namespace);
const scheduled = (name: string): Promise<string> =>
  until(`pod ${name} is scheduled`, () => podNamed(name)?.spec.nodeName || undefined);
const removePod = async (name: string): Promise<void> => {
  await cluster.client.delete(pods, name, { namespace, gracePeriodSeconds: 0 });
  await until(`pod ${name} is gone`, () => podNamed(name) === undefined || undefined);
};
const removeClaim = async (name: string): Promise<void> => {
  await cluster.client.delete(persistentVolumeClaims, name, { namespace });
  await until(`claim ${name} is gone`, () => claimNamed(name) === undefined || undefined);
};
/** `reason: message` of each event about the object. */
const told = (name: string): string[] =>
  cluster.client
    .informer(events)
    .list()
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ reason, message }) => `${reason}: ${message}`);
const toldOf = (name: string, text: string): Promise<true> =>
  until(
    `"${text}" is told of ${name}, not only ${told(name)}`,
    () => told(name).some((one) => one.includes(text)) || undefined,
  );

test('a claim without a class waits for its first Pod, then gets a folder on its node', async () => {
  const created = await createClaim('data');
  assert.equal(created.spec.storageClassName, 'local-path');
  assert.deepEqual(created.metadata.finalizers, ['kubernetes.io/pvc-protection']);
  await toldOf('data', 'WaitForFirstConsumer: waiting for first consumer to be created before binding');
  await createPod('first', 'data');
  const node = await scheduled('first');
  const claim = await boundClaim('data');
  const name = `pvc-${claim.metadata.uid}`;
  assert.equal(claim.spec.volumeName, name);
  assert.deepEqual(claim.status.capacity, { storage: '1Gi' });
  assert.equal(claim.metadata.annotations?.['volume.kubernetes.io/selected-node'], node);
  const volume = await phaseOf(name, 'Bound');
  assert.deepEqual(volume.spec.local, { path: `${ROOT}/${name}_${namespace}_data` });
  assert.deepEqual(volume.spec.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchExpressions, [
    { key: 'kubernetes.io/hostname', operator: 'In', values: [node] },
  ]);
  for (const text of [
    "ExternalProvisioning: Waiting for a volume to be created either by the external provisioner 'rancher.io/local-path'",
    `Provisioning: External provisioner is provisioning volume for claim "${namespace}/data"`,
    `ProvisioningSucceeded: Successfully provisioned volume ${name}`,
  ]) {
    await toldOf('data', text);
  }
  // The next Pod of the claim goes where the data are.
  await removePod('first');
  await createPod('second', 'data');
  assert.equal(await scheduled('second'), node);
  await removePod('second');
  const other = node === 'east' ? 'west' : 'east';
  await createPod('elsewhere', 'data', { nodeSelector: { 'kubernetes.io/hostname': other } });
  await toldOf('elsewhere', "didn't match PersistentVolume's node affinity");
  await removePod('elsewhere');
});

test('a deleted claim outlives the Pod that uses it; its folder goes before its volume', async () => {
  const { spec } = await boundClaim('data');
  const name = spec.volumeName ?? '';
  await createPod('user', 'data');
  const node = await scheduled('user');
  await cluster.client.delete(persistentVolumeClaims, 'data', { namespace });
  await until('deletion is marked', () => claimNamed('data')?.metadata.deletionTimestamp);
  await createPod('late', 'data');
  await toldOf('late', 'persistentvolumeclaim "data" is being deleted');
  await removePod('late');
  assert.ok(claimNamed('data'), 'it is still used');
  await removePod('user');
  await until('the volume is gone', () => volumeNamed(name) === undefined || undefined);
  assert.equal(claimNamed('data'), undefined);
  assert.deepEqual(cluster.removedFolders.slice(-1), [`${node}:${ROOT}/${name}_${namespace}_data`]);
});

test('volumes made by hand: the smallest that is large enough, by class, modes and labels', async () => {
  await createVolume('big', '10Gi');
  await createVolume('middle', '5Gi', { accessModes: ['ReadWriteOnce', 'ReadWriteMany'] });
  await createVolume('small', '2Gi', { persistentVolumeReclaimPolicy: 'Delete' });
  await phaseOf('small', 'Available');
  await createClaim('manual', claimSpec('1500Mi', { storageClassName: 'manual' }));
  assert.equal((await boundClaim('manual')).spec.volumeName, 'small');
  await createClaim('shared', claimSpec('1Gi', { storageClassName: 'manual', accessModes: ['ReadWriteMany'] }));
  assert.equal((await boundClaim('shared')).spec.volumeName, 'middle');
  await createClaim('huge', claimSpec('20Gi', { storageClassName: 'manual' }));
  await toldOf('huge', 'ProvisioningFailed: storageclass.storage.k8s.io "manual" not found');
  await createVolume('huge', '20Gi');
  assert.equal((await boundClaim('huge')).spec.volumeName, 'huge');
});

test('what a reclaim policy makes of a released volume', async () => {
  await removeClaim('shared');
  const kept = await phaseOf('middle', 'Released');
  assert.equal(kept.spec.claimRef?.name, 'shared');
  await removeClaim('manual');
  const failed = await phaseOf('small', 'Failed');
  assert.match(failed.status.message ?? '', /no deletable volume plugin matched$/);
  await toldOf('small', 'VolumeFailedDelete');
  // Given back by hand, it is taken again.
  const { claimRef: _claim, ...spec } = kept.spec;
  await cluster.client.update(persistentVolumes, { ...kept, spec });
  await phaseOf('middle', 'Available');
  await createClaim('again', claimSpec('3Gi', { storageClassName: 'manual', accessModes: ['ReadWriteMany'] }));
  assert.equal((await boundClaim('again')).spec.volumeName, 'middle');
});

test('claims and volumes that name each other', async () => {
  await createVolume('reserved', '1Gi', { claimRef: { namespace, name: 'heir' } });
  await createVolume('free', '1Gi');
  await createClaim('stranger', claimSpec('1Gi', { storageClassName: 'manual' }));
  assert.equal((await boundClaim('stranger')).spec.volumeName, 'free');
  await createClaim('heir', claimSpec('1Gi', { storageClassName: 'manual' }));
  assert.equal((await boundClaim('heir')).spec.volumeName, 'reserved');
  await createClaim('wrong', claimSpec('100Gi', { storageClassName: 'manual', volumeName: 'big' }));
  await toldOf('wrong', 'VolumeMismatch: Cannot bind to requested volume "big": requested PV is too small');
  await createClaim('taken', claimSpec('1Gi', { storageClassName: 'manual', volumeName: 'reserved' }));
  await toldOf('taken', 'FailedBinding: volume "reserved" already bound to a different claim.');
  await createClaim('named', claimSpec('1Gi', { storageClassName: 'manual', volumeName: 'big' }));
  const named = await boundClaim('named');
  assert.equal(named.metadata.annotations?.['pv.kubernetes.io/bound-by-controller'], undefined);
  // A volume in use outlives its deletion; without it the claim is lost.
  await cluster.client.delete(persistentVolumes, 'big');
  const going = await until('marked', () => {
    const volume = volumeNamed('big');
    return volume?.metadata.deletionTimestamp === undefined ? undefined : volume;
  });
  assert.deepEqual(going.metadata.finalizers, ['kubernetes.io/pv-protection']);
  await cluster.client.update(persistentVolumes, { ...going, metadata: { ...going.metadata, finalizers: [] } });
  await until('claim is lost', () => claimNamed('named')?.status.phase === 'Lost' || undefined);
  await toldOf('named', 'ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!');
});

test('volumes of a class without provisioner are bound on the node of the Pod', async () => {
  await cluster.client.create(storageClasses, {
    metadata: { name: 'disks' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  const expression = { key: 'kubernetes.io/hostname', operator: 'In', values: ['west'] };
  const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } };
  await createVolume('disk', '1Gi', { storageClassName: 'disks', nodeAffinity });
  await phaseOf('disk', 'Available');
  await createClaim('on-disk', claimSpec('1Gi', { storageClassName: 'disks' }));
  await createPod('disk-user', 'on-disk');
  assert.equal(await scheduled('disk-user'), 'west');
  assert.equal((await boundClaim('on-disk')).spec.volumeName, 'disk');
  await createClaim('no-disk', claimSpec('1Gi', { storageClassName: 'disks' }));
  await createPod('no-disk-user', 'no-disk');
  await toldOf('no-disk-user', "2 node(s) didn't find available persistent volumes to bind");
  await createVolume('disk-2', '1Gi', { storageClassName: 'disks' });
  await scheduled('no-disk-user');
});

test('claims that cannot be: unknown, for one Pod alone, immediate and unbound, not to be expanded', async () => {
  await createPod('lost', 'nothing');
  await toldOf('lost', 'persistentvolumeclaim "nothing" not found');
  await createClaim('alone', claimSpec('1Gi', { accessModes: ['ReadWriteOncePod'] }));
  await createPod('one', 'alone');
  await scheduled('one');
  await createPod('two', 'alone');
  await toldOf('two', '2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode');
  await removePod('one');
  await scheduled('two');
  await createClaim('unbound', claimSpec('1Gi', { storageClassName: '' }));
  await toldOf('unbound', 'FailedBinding: no persistent volumes available for this claim and no storage class is set');
  await createPod('waiting', 'unbound');
  await toldOf('waiting', 'pod has unbound immediate PersistentVolumeClaims');
  const claim = await boundClaim('alone');
  const larger = { ...claim.spec, resources: { requests: { storage: '2Gi' } } };
  await assert.rejects(cluster.client.update(persistentVolumeClaims, { ...claim, spec: larger }), (error) => {
    assert.ok(error instanceof StatusError);
    assert.match(error.message, /"alone" is forbidden: only dynamically provisioned pvc can be resized/);
    return true;
  });
});

test('what local-path cannot do is told', async () => {
  await createClaim('many', claimSpec('1Gi', { accessModes: ['ReadWriteMany'] }));
  await createPod('many', 'many');
  await toldOf('many', 'NodePath only supports ReadWriteOnce and ReadWriteOncePod');
  await removePod('many');
  await removeClaim('many');
});

test('a generic ephemeral volume comes and goes with its Pod', async () => {
  const volumeClaimTemplate = { metadata: { labels: { kind: 'scratch' } }, spec: claimSpec() };
  await createPod('scratch', '', { volumes: [{ name: 'data', ephemeral: { volumeClaimTemplate } }] });
  await scheduled('scratch');
  const claim = await boundClaim('scratch-data');
  assert.equal(claim.metadata.labels?.['kind'], 'scratch');
  await removePod('scratch');
  await until('the volume is gone', () => volumeNamed(claim.spec.volumeName ?? '') === undefined || undefined);
});

test('claims of a StatefulSet stay or go as its retention policy says', async () => {
  const set = await cluster.client.create(statefulSets, {
    metadata: { name: 'db', namespace },
    spec: {
      serviceName: 'db',
      replicas: 2,
      selector: { matchLabels: { app: 'db' } },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Delete' },
      template: {
        metadata: { labels: { app: 'db' } },
        spec: { containers: [{ name: 'c', image: 'db:1', volumeMounts: [{ name: 'd', mountPath: '/d' }] }] },
      },
      volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: claimSpec() }],
    },
  });
  await Promise.all([boundClaim('d-db-0'), boundClaim('d-db-1')]);
  await scheduled('db-1');
  await cluster.client.patch(
    statefulSets,
    set.metadata.name,
    { type: 'strategic', body: { spec: { replicas: 1 } } },
    { namespace },
  );
  await until('the claim goes with the Pod', () => claimNamed('d-db-1') === undefined || undefined);
  await cluster.client.delete(statefulSets, 'db', { namespace, propagationPolicy: 'Foreground' });
  await until('the Pod is gone', () => podNamed('db-0') === undefined || undefined);
  assert.equal(claimNamed('d-db-0')?.status.phase, 'Bound');
});

test('nothing went wrong on the way', () => {
  assert.deepEqual(cluster.complaints, []);
});
