import assert from 'node:assert/strict';
import type { JsonObject } from '../../../pkg/api/schema.ts';
import { at, each } from './api.ts';
import type { Cases } from './cases.ts';

const STORAGE = '/apis/storage.k8s.io/v1';
const CONTAINERS = [{ name: 'c', image: 'registry.invalid/c' }];
const metadata = (object: JsonObject, fields: JsonObject): JsonObject => ({
  ...object,
  metadata: { ...(object['metadata'] as JsonObject), ...fields },
});
const volume = (name: string, ns: string): JsonObject => ({
  metadata: { name, labels: { e2e: name } },
  spec: {
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '2Gi' },
    storageClassName: 'e2e-none',
    claimRef: { namespace: ns, name: 'other' },
    csi: { driver: 'inline.storage.kubernetes.io', volumeHandle: 'handle' },
  },
});
const claim = {
  accessModes: ['ReadWriteOnce'],
  storageClassName: 'e2e-none',
  resources: { requests: { storage: '1Gi' } },
};

/** sig-storage. */
export const storage: Cases = {
  async 'PersistentVolumes: a status, patched and updated, of volume and claim'(api, ns) {
    const claims = `/api/v1/namespaces/${ns}/persistentvolumeclaims`;
    await api.post('/api/v1/persistentvolumes', volume(`pv-${ns}`, ns));
    await api.post(claims, { metadata: { name: 'c' }, spec: { ...claim, volumeName: 'none' } });
    const condition = {
      type: 'StatusUpdate',
      status: 'True',
      reason: 'E2E',
      message: 'Set by an e2e test',
      lastProbeTime: null,
      lastTransitionTime: null,
    };
    const { lastProbeTime: _, lastTransitionTime: __, ...shown } = condition;
    const patched = { ...shown, type: 'StatusPatch' };
    await api.patch(
      'merge',
      `${claims}/c/status`,
      { metadata: { labels: { c: 'patched' } }, status: { conditions: [patched] } },
      { holds: { status: { conditions: [patched] } } },
    );
    const updated = await api.update(
      `${claims}/c`,
      (object) => ({
        ...object,
        status: {
          ...(object['status'] as JsonObject),
          conditions: [...(at(object, 'status', 'conditions') as JsonObject[]), condition],
        },
      }),
      '/status',
    );
    assert.deepEqual(each(at(updated, 'status', 'conditions'), 'type'), ['StatusPatch', 'StatusUpdate']);
    const path = `/api/v1/persistentvolumes/pv-${ns}`;
    await api.get(`${path}/status`);
    const status = { message: 'StatusPatched', reason: 'E2E patchStatus' };
    await api.patch('merge', `${path}/status`, { status }, { holds: { status } });
    const other = await api.update(
      path,
      (object) => ({
        ...object,
        status: { ...(object['status'] as JsonObject), message: 'StatusUpdated', reason: 'E2E updateStatus' },
      }),
      '/status',
    );
    assert.equal(at(other, 'status', 'message'), 'StatusUpdated');
    await api.delete(claims);
    await api.untilGone(`${claims}/c`);
    await api.delete(path);
    await api.untilGone(path);
  },

  async 'PersistentVolumes: the life of a volume and a claim'(api, ns) {
    const claims = `/api/v1/namespaces/${ns}/persistentvolumeclaims`;
    const path = `/api/v1/persistentvolumes/pv-${ns}`;
    await api.post('/api/v1/persistentvolumes', volume(`pv-${ns}`, ns));
    await api.post(claims, { metadata: { name: 'c', labels: { e2e: 'c' } }, spec: { ...claim, volumeName: 'none' } });
    assert.equal((await api.items(`/api/v1/persistentvolumes?labelSelector=e2e=pv-${ns}`)).length, 1);
    await api.patch(
      'strategic',
      path,
      { metadata: { labels: { p: 'patched' } } },
      { holds: { metadata: { labels: { p: 'patched' } } } },
    );
    await api.patch('strategic', `${claims}/c`, { metadata: { labels: { p: 'patched' } } });
    await api.update(path, (object) => metadata(object, { annotations: { a: 'updated' } }));
    await api.delete(`${claims}?labelSelector=e2e=c`);
    await api.untilGone(`${claims}/c`);
    await api.delete(`/api/v1/persistentvolumes?labelSelector=e2e=pv-${ns}`);
    await api.untilGone(path);
  },

  async 'VolumeAttachment: its life and its status'(api) {
    const base = `${STORAGE}/volumeattachments`;
    const spec = { attacher: 'e2e-test.storage.k8s.io', nodeName: 'node', source: { persistentVolumeName: 'pv' } };
    await api.post(base, { metadata: { name: 'e2e-va', labels: { e2e: 'va' } }, spec });
    const path = `${base}/e2e-va`;
    await api.patch('merge', path, { metadata: { labels: { patched: 'true' } } });
    const status = { attached: true, attachmentMetadata: { a: 'b' } };
    await api.patch('merge', `${path}/status`, { status }, { holds: { status } });
    const updated = await api.update(
      path,
      (object) => ({ ...object, status: { attached: false, detachError: { message: 'e2e' } } }),
      '/status',
    );
    assert.equal(at(updated, 'status', 'detachError', 'message'), 'e2e');
    await api.get(`${path}/status`, { holds: { status: { attached: false } } });
    await api.update(path, (object) => metadata(object, { labels: { e2e: 'va', updated: 'true' } }));
    await api.delete(`${base}?labelSelector=e2e%3Dva`);
    await api.untilGone(path);
  },

  async 'StorageClass, CSIDriver, CSINode, CSIStorageCapacity, VolumeAttributesClass: their lives'(api, ns) {
    const kinds: [string, JsonObject][] = [
      [`${STORAGE}/storageclasses`, { provisioner: 'e2e-fake-provisioner' }],
      [`${STORAGE}/csidrivers`, { spec: { attachRequired: true, volumeLifecycleModes: ['Ephemeral'] } }],
      [`${STORAGE}/csinodes`, { spec: { drivers: [{ name: 'd.example.com', nodeID: 'n', topologyKeys: ['k'] }] } }],
      [`${STORAGE}/namespaces/${ns}/csistoragecapacities`, { storageClassName: 'x', capacity: '1Gi' }],
      [`${STORAGE}/volumeattributesclasses`, { driverName: 'e2e-fake-csi-driver', parameters: { iops: '1' } }],
    ];
    for (const [base, body] of kinds) {
      const begun = String(at(await api.get(`${base}?labelSelector=e2e=life`), 'metadata', 'resourceVersion'));
      await api.post(base, { metadata: { name: 'e2e-life', labels: { e2e: 'life' } }, ...body }, { holds: body });
      const path = `${base}/e2e-life`;
      await api.patch(
        'strategic',
        path,
        { metadata: { labels: { patched: 'true' } } },
        { holds: { metadata: { labels: { patched: 'true' } } } },
      );
      await api.update(path, (object) => metadata(object, { annotations: { updated: 'true' } }));
      await api.delete(`${base}?labelSelector=e2e%3Dlife`);
      const events = await api.events(
        `${base}?labelSelector=e2e=life&resourceVersion=${begun}`,
        (seen) => seen.length === 4,
      );
      assert.deepEqual(
        events.map(({ type }) => type),
        ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED'],
        base,
      );
    }
  },

  async 'CSIInlineVolumes: of a Pod'(api, ns) {
    const volumes = [{ name: 'v', csi: { driver: 'e2e.example.com', volumeAttributes: { a: 'b' } } }];
    const spec = { containers: [{ ...CONTAINERS[0], volumeMounts: [{ name: 'v', mountPath: '/v' }] }], volumes };
    await api.post(`${STORAGE}/csidrivers`, {
      metadata: { name: 'e2e.example.com' },
      spec: { volumeLifecycleModes: ['Ephemeral'] },
    });
    const pods = `/api/v1/namespaces/${ns}/pods`;
    await api.post(pods, { metadata: { name: 'p', labels: { e2e: 'csi' } }, spec }, { holds: { spec: { volumes } } });
    assert.equal((await api.items(`/api/v1/pods?labelSelector=e2e%3Dcsi`)).length, 1);
    await api.patch('strategic', `${pods}/p`, { metadata: { labels: { patched: 'true' } } });
    await api.delete(`${pods}/p`);
    await api.delete(`${STORAGE}/csidrivers/e2e.example.com`);
  },

  async 'ConfigMap and Secret: immutable once they say so'(api, ns) {
    for (const [kind, first, second] of [
      ['configmaps', 'one', 'two'],
      ['secrets', 'b25l', 'dHdv'],
    ] as const) {
      const path = `/api/v1/namespaces/${ns}/${kind}`;
      await api.post(path, { metadata: { name: 'i' }, data: { a: first } });
      await api.patch('merge', `${path}/i`, { data: { a: second } });
      await api.patch('merge', `${path}/i`, { immutable: true });
      await api.patch('merge', `${path}/i`, { data: { a: first } }, { status: 422 });
      await api.patch('merge', `${path}/i`, { immutable: false }, { status: 422 });
      await api.patch('merge', `${path}/i`, { metadata: { labels: { still: 'labelled' } } });
      await api.delete(`${path}/i`);
      await api.post(path, { metadata: { name: 'x' }, data: { '': first } }, { status: 422 });
    }
  },
};
