import assert from 'node:assert/strict';
import type { JsonObject } from '../../../pkg/api/schema.ts';
import { at, each } from './api.ts';
import type { Cases } from './cases.ts';

const CONTAINERS = [{ name: 'c', image: 'registry.invalid/c' }];
const pod = (name: string, metadata: JsonObject = {}, spec: JsonObject = {}): JsonObject => ({
  metadata: { name, ...metadata },
  spec: { containers: CONTAINERS, ...spec },
});
const spec = (object: JsonObject, fields: JsonObject): JsonObject => ({
  ...object,
  spec: { ...(object['spec'] as JsonObject), ...fields },
});
const metadata = (object: JsonObject, fields: JsonObject): JsonObject => ({
  ...object,
  metadata: { ...(object['metadata'] as JsonObject), ...fields },
});

/** sig-node. */
export const nodes: Cases = {
  async 'Pod generation: moves with the spec'(api, ns) {
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const initContainers = [{ name: 'i', image: 'registry.invalid/i' }];
    await api.post(pods, pod('p', { generation: 100 }, { initContainers, nodeName: 'none' }), {
      holds: { metadata: { generation: 1 } },
    });
    const image = (object: JsonObject, list: string): JsonObject =>
      spec(object, { [list]: [{ ...(at(object, 'spec', list, 0) as JsonObject), image: 'registry.invalid/other' }] });
    const toleration = { key: 'foo', operator: 'Equal', value: 'bar', effect: 'NoSchedule' };
    const steps: [string, (object: JsonObject) => JsonObject, number][] = [
      ['nothing', (object) => object, 0],
      [
        'tolerations',
        (object) => spec(object, { tolerations: [...(at(object, 'spec', 'tolerations') as JsonObject[]), toleration] }),
        1,
      ],
      ['activeDeadlineSeconds', (object) => spec(object, { activeDeadlineSeconds: 5000 }), 1],
      ['an image', (object) => image(object, 'containers'), 1],
      ['an image of an init container', (object) => image(object, 'initContainers'), 1],
      ['annotations', (object) => metadata(object, { annotations: { key: 'value' } }), 0],
      ['the generation itself', (object) => metadata(object, { generation: 1 }), 0],
    ];
    let generation = 1;
    for (const [what, change, moves] of steps) {
      generation += moves;
      const updated = await api.update(`${pods}/p`, change);
      assert.equal(at(updated, 'metadata', 'generation'), generation, what);
    }
    const sized = { containers: [{ name: 'c', resources: { requests: { cpu: '10m' } } }] };
    await api.post(
      pods,
      pod('r', {}, { containers: [{ ...CONTAINERS[0], resources: { requests: { cpu: '5m' } } }], nodeName: 'none' }),
    );
    await api.patch('strategic', `${pods}/r/resize`, { spec: sized }, { holds: { metadata: { generation: 2 } } });
    const ephemeral = { spec: { ephemeralContainers: [{ name: 'e', image: 'registry.invalid/e' }] } };
    await api.patch('strategic', `${pods}/r/ephemeralcontainers`, ephemeral, {
      holds: { metadata: { generation: 3 } },
    });
    await api.delete(`${pods}/p?gracePeriodSeconds=60`);
    await api.get(`${pods}/p`, { holds: { metadata: { generation: generation + 1 } } });
  },

  async 'Pod InPlace Resize: read and replaced'(api, ns) {
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const resources = { requests: { cpu: '10m', memory: '20Mi' }, limits: { cpu: '20m', memory: '40Mi' } };
    await api.post(pods, pod('p', {}, { containers: [{ ...CONTAINERS[0], resources }], nodeName: 'none' }));
    const desired = { requests: { cpu: '15m', memory: '30Mi' }, limits: { cpu: '25m', memory: '50Mi' } };
    const replaced = await api.update(
      `${pods}/p`,
      (object) =>
        spec(object, { containers: [{ ...(at(object, 'spec', 'containers', 0) as JsonObject), resources: desired }] }),
      '/resize',
    );
    assert.deepEqual(at(replaced, 'spec', 'containers', 0, 'resources'), desired);
    assert.deepEqual(await api.get(`${pods}/p/resize`), await api.get(`${pods}/p`));
    // Elsewhere resources stay as they are.
    await api.patch('strategic', `${pods}/p`, { spec: { containers: [{ name: 'c', resources }] } }, { status: 422 });
  },

  async 'Ephemeral Containers: patched and replaced'(api, ns) {
    const pods = `/api/v1/namespaces/${ns}/pods`;
    await api.post(pods, pod('p'));
    const container = (name: string): JsonObject => ({
      name,
      image: 'registry.invalid/debug',
      command: ['/bin/sh'],
      stdin: true,
      tty: true,
    });
    const patch = { spec: { ephemeralContainers: [container('debugger')] } };
    await api.patch('strategic', `${pods}/p/ephemeralcontainers`, patch, { holds: patch });
    const updated = await api.update(
      `${pods}/p`,
      (object) =>
        spec(object, {
          ephemeralContainers: [...(at(object, 'spec', 'ephemeralContainers') as JsonObject[]), container('debugger2')],
        }),
      '/ephemeralcontainers',
    );
    assert.deepEqual(each(at(updated, 'spec', 'ephemeralContainers'), 'name'), ['debugger', 'debugger2']);
    await api.get(`${pods}/p/ephemeralcontainers`, { holds: { kind: 'Pod' } });
  },

  async 'Pods: a status, patched, and their life'(api, ns) {
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const begun = String(at(await api.get(`${pods}?labelSelector=e2e=life`), 'metadata', 'resourceVersion'));
    await api.post(pods, pod('p', { labels: { e2e: 'life' } }));
    const patch = { status: { message: 'Patched by e2e test', reason: 'E2E' } };
    await api.patch('merge', `${pods}/p/status`, patch, { holds: patch });
    const labels = {
      metadata: { labels: { 'test-pod': 'patched' } },
      spec: { containers: [{ name: 'c', image: 'registry.invalid/other' }] },
    };
    await api.patch('strategic', `${pods}/p`, labels, { holds: labels });
    const ready = (object: JsonObject): JsonObject => ({
      ...object,
      status: {
        ...(object['status'] as JsonObject),
        conditions: [{ type: 'Ready', status: 'False', message: 'not yet' }],
      },
    });
    await api.update(`${pods}/p`, ready, '/status');
    await api.delete(`${pods}?labelSelector=e2e=life&gracePeriodSeconds=0`);
    const events = await api.events(`${pods}?labelSelector=e2e=life&resourceVersion=${begun}`, (seen) =>
      seen.some(({ type }) => type === 'DELETED'),
    );
    assert.equal(events[0]?.type, 'ADDED');
  },

  async 'Pods: a QoS class and a deadline'(api, ns) {
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const resources = { requests: { cpu: '100m', memory: '100Mi' }, limits: { cpu: '100m', memory: '100Mi' } };
    await api.post(pods, pod('p', {}, { containers: [{ ...CONTAINERS[0], resources }] }), {
      holds: { status: { qosClass: 'Guaranteed' } },
    });
    await api.patch(
      'merge',
      `${pods}/p`,
      { spec: { activeDeadlineSeconds: 30 } },
      { holds: { spec: { activeDeadlineSeconds: 30 } } },
    );
    await api.patch('merge', `${pods}/p`, { spec: { activeDeadlineSeconds: 40 } }, { status: 422 });
  },

  async 'Sysctls: invalid names are refused'(api, ns) {
    const sysctls = ['foo-', 'kernel.shmmax', 'safe-and-unsafe', 'bar..'].map((name) => ({ name, value: '1' }));
    const refused = await api.post(`/api/v1/namespaces/${ns}/pods`, pod('p', {}, { securityContext: { sysctls } }), {
      status: 422,
    });
    const fields = each(at(refused, 'details', 'causes'), 'field');
    assert.deepEqual(fields, ['spec.securityContext.sysctls[0].name', 'spec.securityContext.sysctls[3].name']);
  },

  async 'RuntimeClass: of Pods'(api, ns) {
    const classes = '/apis/node.k8s.io/v1/runtimeclasses';
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const refused = await api.post(pods, pod('none', {}, { runtimeClassName: 'e2e-nonexistent' }), { status: 403 });
    assert.match(String(refused['message']), /RuntimeClass "e2e-nonexistent" not found/);
    await api.post(classes, {
      metadata: { name: 'e2e-rc' },
      handler: 'none',
      overhead: { podFixed: { cpu: '10m', memory: '1Mi' } },
    });
    await api.post(pods, pod('p', {}, { runtimeClassName: 'e2e-rc' }), {
      holds: { spec: { overhead: { cpu: '10m', memory: '1Mi' } } },
    });
    await api.delete(`${classes}/e2e-rc`);
    await api.post(pods, pod('q', {}, { runtimeClassName: 'e2e-rc' }), { status: 403 });
  },

  async 'Node: its life'(api) {
    const path = '/api/v1/nodes/e2e-fake-node';
    const node = {
      metadata: { name: 'e2e-fake-node', labels: { e2e: 'node' } },
      spec: { unschedulable: true },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    };
    await api.post('/api/v1/nodes', node, { holds: { status: { conditions: [{ type: 'Ready', status: 'True' }] } } });
    await api.patch(
      'strategic',
      path,
      { metadata: { labels: { 'e2e-fake-node': 'patched' } } },
      { holds: { metadata: { labels: { 'e2e-fake-node': 'patched' } } } },
    );
    await api.update(path, (object) =>
      metadata(object, { labels: { ...(at(object, 'metadata', 'labels') as JsonObject), 'e2e-fake-node': 'updated' } }),
    );
    const condition = { type: 'NetworkUnavailable', status: 'False', reason: 'E2E', message: 'Set by an e2e test' };
    await api.patch(
      'strategic',
      `${path}/status`,
      { status: { conditions: [condition] } },
      { holds: { status: { conditions: [condition, { type: 'Ready' }] } } },
    );
    await api.patch(
      'json',
      `${path}/status`,
      [{ op: 'add', path: '/status/capacity', value: { 'example.com/x': '5' } }],
      { holds: { status: { capacity: { 'example.com/x': '5' } } } },
    );
    await api.delete('/api/v1/nodes?labelSelector=e2e=node');
    await api.untilGone(path);
  },

  async 'PodTemplates: their life'(api, ns) {
    const templates = `/api/v1/namespaces/${ns}/podtemplates`;
    await api.post(templates, {
      metadata: { name: 't', labels: { e2e: 'template' } },
      template: { spec: { containers: CONTAINERS } },
    });
    assert.equal((await api.items('/api/v1/podtemplates?labelSelector=e2e%3Dtemplate')).length, 1);
    await api.patch(
      'strategic',
      `${templates}/t`,
      { metadata: { labels: { podtemplate: 'patched' } } },
      { holds: { metadata: { labels: { podtemplate: 'patched' } } } },
    );
    await api.update(`${templates}/t`, (object) => metadata(object, { annotations: { updated: 'true' } }));
    await api.delete(`${templates}?labelSelector=e2e%3Dtemplate`);
    assert.equal((await api.items(templates)).length, 0);
  },

  async 'Lease: available'(api, ns) {
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${ns}/leases`;
    const lease = {
      holderIdentity: 'holder',
      leaseDurationSeconds: 30,
      acquireTime: '2026-01-02T03:04:05.000006Z',
      renewTime: '2026-01-02T03:04:05.000007Z',
      leaseTransitions: 0,
    };
    await api.post(leases, { metadata: { name: 'l' }, spec: lease }, { holds: { spec: lease } });
    await api.update(`${leases}/l`, (object) => spec(object, { holderIdentity: 'holder2', leaseTransitions: 1 }));
    await api.patch(
      'merge',
      `${leases}/l`,
      { spec: { leaseDurationSeconds: 60, renewTime: '2026-01-02T03:04:06.000000Z' } },
      { holds: { spec: { leaseDurationSeconds: 60, holderIdentity: 'holder2' } } },
    );
    await api.delete(leases);
    await api.get(`${leases}/l`, { status: 404 });
  },

  async 'DRA: claims, templates, classes, slices'(api, ns) {
    const base = '/apis/resource.k8s.io/v1';
    await api.post(`${base}/deviceclasses`, {
      metadata: { name: 'e2e-class' },
      spec: { selectors: [{ cel: { expression: "device.driver == 'e2e.example.com'" } }] },
    });
    await api.patch(
      'merge',
      `${base}/deviceclasses/e2e-class`,
      { spec: { selectors: [{ cel: { expression: 'true' } }] } },
      { holds: { metadata: { generation: 2 } } },
    );
    const claims = `${base}/namespaces/${ns}/resourceclaims`;
    const devices = { requests: [{ name: 'r', exactly: { deviceClassName: 'e2e-class' } }] };
    await api.post(
      claims,
      { metadata: { name: 'c' }, spec: { devices } },
      { holds: { spec: { devices: { requests: [{ exactly: { allocationMode: 'ExactCount', count: 1 } }] } } } },
    );
    await api.patch('merge', `${claims}/c`, { spec: { devices: { requests: [] } } }, { status: 422 });
    const result = { request: 'r', driver: 'e2e.example.com', pool: 'p', device: 'd' };
    const status = { allocation: { devices: { results: [result] } } };
    await api.patch(
      'apply',
      `${claims}/c/status`,
      { apiVersion: 'resource.k8s.io/v1', kind: 'ResourceClaim', metadata: { name: 'c' }, status },
      { holds: { status } },
    );
    const reservedFor = [{ resource: 'pods', name: 'p', uid: 'u' }];
    await api.patch(
      'strategic',
      `${claims}/c/status`,
      { status: { reservedFor } },
      { holds: { status: { reservedFor } } },
    );
    const templates = `${base}/namespaces/${ns}/resourceclaimtemplates`;
    await api.post(templates, { metadata: { name: 't' }, spec: { spec: { devices } } });
    await api.patch('merge', `${templates}/t`, { spec: { metadata: { labels: { a: 'b' } } } }, { status: 422 });
    const slice = {
      driver: 'e2e.example.com',
      nodeName: 'n',
      pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
      devices: [{ name: 'd', attributes: { model: { string: 'a' } }, capacity: { memory: { value: '1Gi' } } }],
    };
    await api.post(
      `${base}/resourceslices`,
      { metadata: { name: 'e2e-slice' }, spec: slice },
      { holds: { spec: slice } },
    );
    assert.equal(
      (await api.items(`${base}/resourceslices?fieldSelector=spec.driver=e2e.example.com,spec.nodeName=n`)).length,
      1,
    );
    await api.update(`${base}/resourceslices/e2e-slice`, (object) =>
      spec(object, { pool: { name: 'p', generation: 2, resourceSliceCount: 1 } }),
    );
    await api.delete(`${base}/resourceslices/e2e-slice`);
    await api.delete(`${base}/deviceclasses/e2e-class`);
  },

  async 'DRA: admin access, and devices that are given back'(api, ns) {
    const base = `/apis/resource.k8s.io/v1/namespaces/${ns}`;
    const claim = (adminAccess: boolean): JsonObject => ({
      devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', adminAccess } }] },
    });
    const refused = await api.post(
      `${base}/resourceclaims`,
      { metadata: { name: 'c' }, spec: claim(true) },
      { status: 422 },
    );
    assert.match(
      String(refused['message']),
      /spec\.devices\.requests\[0\]\.adminAccess: Forbidden: admin access to devices/,
    );
    await api.post(
      `${base}/resourceclaimtemplates`,
      { metadata: { name: 't' }, spec: { spec: claim(true) } },
      { status: 422 },
    );
    await api.post(`${base}/resourceclaims`, { metadata: { name: 'c' }, spec: claim(false) });
    const path = `${base}/resourceclaims/c/status`;
    const device = { driver: 'e2e.example.com', pool: 'p', device: 'd' };
    const allocation = (adminAccess: boolean): JsonObject => ({
      devices: { results: [{ ...device, request: 'r', adminAccess }] },
    });
    await api.patch('merge', path, { status: { allocation: allocation(true) } }, { status: 422 });
    await api.patch(
      'merge',
      path,
      { status: { allocation: allocation(false), devices: [device] } },
      { holds: { status: { devices: [device] } } },
    );
    const given = await api.patch('merge', path, { status: { allocation: null } });
    assert.equal(at(given, 'status', 'devices'), undefined);
    await api.patch('merge', `/api/v1/namespaces/${ns}`, {
      metadata: { labels: { 'resource.kubernetes.io/admin-access': 'true' } },
    });
    await api.post(`${base}/resourceclaims`, { metadata: { name: 'admin' }, spec: claim(true) });
  },
};
