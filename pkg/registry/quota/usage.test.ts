import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, ResourceQuota } from '../../api/generated/core-v1.ts';
import { configMaps, deployments, persistentVolumeClaims, pods, services } from '../../api/resources.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { isInScope } from './scopes.ts';
import { isUsedBy, unspecified, usageOf } from './usage.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const used = (type: ResourceType, object: object): Record<string, string> =>
  Object.fromEntries(
    [...usageOf(type, { metadata: {}, ...object } as KubeObject, NOW)].map(([name, amount]) => [
      name,
      amount.toString(),
    ]),
  );
const container = (name: string, requests?: object, limits?: object, more: object = {}): object => ({
  name,
  resources: { ...(requests && { requests }), ...(limits && { limits }) },
  ...more,
});

test('what a Pod uses', () => {
  const spec = {
    containers: [
      container('a', { cpu: '250m', memory: '64Mi', 'example.com/gpu': '1' }, { cpu: '1', 'example.com/gpu': '1' }),
      container('b', { cpu: '250m', 'hugepages-2Mi': '4Mi' }),
    ],
    initContainers: [
      container('i', { cpu: '2' }),
      container('s', { memory: '1Mi' }, undefined, { restartPolicy: 'Always' }),
    ],
    overhead: { cpu: '10m', memory: '1Mi' },
  };
  assert.deepEqual(used(pods, { spec }), {
    'count/pods': '1',
    pods: '1',
    cpu: '2010m',
    'requests.cpu': '2010m',
    memory: '66Mi',
    'requests.memory': '66Mi',
    'requests.example.com/gpu': '1',
    'hugepages-2Mi': '4Mi',
    'requests.hugepages-2Mi': '4Mi',
    'limits.cpu': '1010m',
  });
  assert.deepEqual(used(pods, { spec, status: { phase: 'Succeeded' } }), { 'count/pods': '1' });
  const going = { metadata: { deletionTimestamp: '2025-12-31T23:59:00Z' }, spec };
  assert.deepEqual(used(pods, going), { 'count/pods': '1' }, 'it should be gone');
});

test('what other objects use', () => {
  const ports = [{ port: 80 }, { port: 443, nodePort: 30443 }];
  assert.deepEqual(used(services, { spec: { type: 'NodePort', ports } }), {
    'count/services': '1',
    services: '1',
    'services.nodeports': '2',
  });
  const balanced = { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports };
  assert.equal(used(services, { spec: balanced })['services.nodeports'], '1');
  const claim = { storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } };
  assert.deepEqual(used(persistentVolumeClaims, { spec: claim }), {
    'count/persistentvolumeclaims': '1',
    persistentvolumeclaims: '1',
    'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
    'requests.storage': '1Gi',
    'fast.storageclass.storage.k8s.io/requests.storage': '1Gi',
  });
  assert.deepEqual(used(deployments, {}), { 'count/deployments.apps': '1' });
});

test('which names are whose', () => {
  const cases: [string, ResourceType][] = [
    ['pods', pods],
    ['requests.cpu', pods],
    ['limits.ephemeral-storage', pods],
    ['requests.example.com/gpu', pods],
    ['requests.storage', persistentVolumeClaims],
    ['services.loadbalancers', services],
    ['configmaps', configMaps],
    ['count/deployments.apps', deployments],
  ];
  for (const [name, owner] of cases) {
    const owners = [pods, persistentVolumeClaims, services, configMaps, deployments].filter((type) =>
      isUsedBy(type, name),
    );
    assert.deepEqual(owners, [owner], name);
  }
});

test('scopes', () => {
  const pod = (spec: object): Pod =>
    ({ metadata: {}, spec: { containers: [container('c')], ...spec } }) as unknown as Pod;
  const quota = (spec: object): ResourceQuota => ({ metadata: {}, spec }) as unknown as ResourceQuota;
  const priority = (operator: string, values?: string[]): ResourceQuota =>
    quota({ scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator, values }] } });
  const cases: [ResourceQuota, object, boolean][] = [
    [quota({ scopes: ['Terminating'] }), { activeDeadlineSeconds: 5 }, true],
    [quota({ scopes: ['NotTerminating'] }), { activeDeadlineSeconds: 5 }, false],
    [quota({ scopes: ['BestEffort'] }), {}, true],
    [quota({ scopes: ['BestEffort'] }), { containers: [container('c', { cpu: '1' })] }, false],
    [quota({ scopes: ['NotBestEffort', 'NotTerminating'] }), { containers: [container('c', { cpu: '1' })] }, true],
    [priority('In', ['high']), { priorityClassName: 'high' }, true],
    [priority('In', ['high']), {}, false],
    [priority('NotIn', ['high']), { priorityClassName: 'low' }, true],
    [priority('Exists'), {}, false],
  ];
  for (const [scoped, spec, expected] of cases) {
    assert.equal(isInScope(scoped, pods, pod(spec)), expected, JSON.stringify([scoped.spec, spec]));
  }
  assert.equal(isInScope(quota({ scopes: ['BestEffort'] }), services, { metadata: {} } as KubeObject), false);
});

test('containers that leave unsaid what a quota limits', () => {
  const pod = { spec: { containers: [container('b', { cpu: '1' }), container('a')] } } as unknown as Pod;
  const names = ['requests.cpu', 'limits.memory', 'requests.ephemeral-storage', 'pods'];
  assert.equal(unspecified(pod, names), 'must specify limits.memory for: a,b; requests.cpu for: a');
  assert.equal(unspecified(pod, ['pods']), undefined);
});
