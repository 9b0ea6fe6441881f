import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service, ServicePort, ServiceSpec } from '../../api/generated/core-v1.ts';
import { dropTypeDependentFields, keepAllocated, syncClusterIPs } from './service-update.ts';

/** A spec whose ports are told in short. */
type Spec = Omit<ServiceSpec, 'ports'> & { readonly ports?: readonly Partial<ServicePort>[] };

const OLD: Spec = {
  type: 'LoadBalancer',
  clusterIP: '10.0.0.1',
  clusterIPs: ['10.0.0.1'],
  ipFamilies: ['IPv4'],
  ipFamilyPolicy: 'SingleStack',
  externalTrafficPolicy: 'Local',
  healthCheckNodePort: 30_002,
  allocateLoadBalancerNodePorts: true,
  ports: [{ name: 'a', port: 80, nodePort: 30_001 }],
};

/** What becomes of the spec that a client sends. */
function updated(spec: Spec, old: Spec = OLD): ServiceSpec {
  const draft = { spec } as Service;
  const before = { spec: old } as Service;
  keepAllocated(draft, before);
  syncClusterIPs(draft, before);
  dropTypeDependentFields(draft, before);
  return draft.spec;
}

test('what was allocated is kept when a client sends the Service without it', () => {
  const { clusterIP, clusterIPs, healthCheckNodePort, ports } = updated({
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    ports: [
      { name: 'a', port: 81 },
      { name: 'b', port: 80 },
    ],
  });
  assert.deepEqual(
    { clusterIP, clusterIPs, healthCheckNodePort },
    { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'], healthCheckNodePort: 30_002 },
  );
  assert.deepEqual(
    ports?.map(({ nodePort }) => nodePort),
    [30_001, undefined],
  );
});

test('a port of nodes that moves to another port is not given twice', () => {
  const ports = [
    { name: 'b', port: 81, nodePort: 30_001 },
    { name: 'a', port: 80 },
  ];
  assert.deepEqual(
    updated({ type: 'NodePort', ports }).ports?.map(({ nodePort }) => nodePort),
    [30_001, undefined],
  );
});

test('the single cluster IP and the list follow each other', () => {
  assert.deepEqual(updated({ ...OLD, clusterIP: '10.0.0.2' }).clusterIPs, ['10.0.0.2']);
  assert.deepEqual(updated({ ...OLD, clusterIP: '', clusterIPs: [] }).clusterIPs, ['10.0.0.1']);
  const fresh = { spec: { clusterIP: 'None' } } as Service;
  syncClusterIPs(fresh, undefined);
  assert.deepEqual(fresh.spec.clusterIPs, ['None']);
});

test('another type loses what it does not need', () => {
  assert.deepEqual(
    Object.keys(updated({ ...OLD, type: 'ClusterIP', ports: [{ port: 80, nodePort: 30_001 }] })).sort(),
    ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'ports', 'type'],
  );
  assert.deepEqual(Object.keys(updated({ ...OLD, type: 'ExternalName', externalName: 'a.b' })).sort(), [
    'externalName',
    'ports',
    'type',
  ]);
});
