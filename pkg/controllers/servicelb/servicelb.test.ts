import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node, Service, ServiceSpec } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { nodes, services } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { createWorld } from '../testing/harness.ts';
import { planLoadBalancers } from './plan.ts';
import { createServiceLBController } from './servicelb.ts';

const service = (name: string, port: number, spec: Partial<ServiceSpec> = {}, more: Partial<Service> = {}): Service =>
  ({
    metadata: { name, namespace: 'n', creationTimestamp: `2026-01-01T00:00:0${name.length}Z` },
    spec: { type: 'LoadBalancer', ipFamilies: ['IPv4'], ports: [{ port, protocol: 'TCP' }], ...spec },
    status: { loadBalancer: {} },
    ...more,
  }) as Service;

const node = (name: string, ip: string, labels: Record<string, string> = {}, ready = true): Node =>
  ({
    metadata: { name, labels },
    spec: {},
    status: {
      addresses: [{ type: 'InternalIP', address: ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  }) as unknown as Node;

const a = node('a', '10.0.0.1');
const b = node('b', '10.0.0.2');

function plan(all: readonly Service[], machines: readonly Node[], endpointSlices: readonly EndpointSlice[] = []) {
  const view = { services: all, nodes: machines, endpointSlices, reservedPorts: new Set([6443]) };
  return planLoadBalancers(view).map(({ service: { metadata }, ingress, problem }) => ({
    name: metadata.name,
    ips: ingress.map(({ ip }) => ip),
    problem,
  }));
}
const ips = (...args: Parameters<typeof plan>): unknown[] => plan(...args).map((one) => one.ips);

describe('who gets which addresses', () => {
  test('every ready node, by its external address where it has one', () => {
    const outside = node('c', '10.0.0.3');
    outside.status.addresses?.push({ type: 'ExternalIP', address: '203.0.113.3' });
    const down = node('d', '10.0.0.4', {}, false);
    assert.deepEqual(ips([service('s', 80)], [b, outside, down, a]), [['10.0.0.1', '10.0.0.2', '203.0.113.3']]);
  });

  test('labels choose nodes', () => {
    const chosen = node('c', '10.0.0.3', { 'svccontroller.kedge.io/enablelb': 'true' });
    assert.deepEqual(ips([service('s', 80)], [a, chosen]), [['10.0.0.3']]);
    const excluded = node('d', '10.0.0.4', { 'node.kubernetes.io/exclude-from-external-load-balancers': '' });
    assert.deepEqual(ips([service('s', 80)], [a, excluded]), [['10.0.0.1']]);
    const pooled = service('s', 80);
    pooled.metadata.labels = { 'svccontroller.k3s.cattle.io/lbpool': 'edge' };
    const member = node('e', '10.0.0.5', { 'svccontroller.k3s.cattle.io/lbpool': 'edge' });
    assert.deepEqual(ips([pooled], [a, member]), [['10.0.0.5']]);
  });

  test('with externalTrafficPolicy Local the nodes that have ready endpoints', () => {
    const slice = {
      metadata: { name: 's-1', namespace: 'n', labels: { 'kubernetes.io/service-name': 's' } },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.42.0.1'], nodeName: 'b', conditions: { ready: true } },
        { addresses: ['10.42.0.2'], nodeName: 'a', conditions: { ready: false } },
      ],
    } as unknown as EndpointSlice;
    assert.deepEqual(ips([service('s', 80, { externalTrafficPolicy: 'Local' })], [a, b], [slice]), [['10.0.0.2']]);
  });

  test('a port is given once; who has it keeps it', () => {
    const taken = plan([service('newer', 80), service('old', 80), service('other', 81)], [a]);
    const got = Object.fromEntries(taken.map(({ name, ips: given }) => [name, given]));
    assert.deepEqual(got, { old: ['10.0.0.1'], newer: [], other: ['10.0.0.1'] });
    const status = { loadBalancer: { ingress: [{ ip: '10.0.0.1', ipMode: 'VIP' }] } };
    assert.deepEqual(plan([service('newer', 80, {}, { status }), service('old', 80)], [a])[0]?.name, 'newer');
    const udp = service('udp', 80, { ports: [{ port: 80, protocol: 'UDP', targetPort: 80 }] });
    assert.deepEqual(ips([service('s', 80), udp], [a]), [['10.0.0.1'], ['10.0.0.1']]);
  });

  test('ports of the cluster itself are not given away; Services of a class are left alone', () => {
    assert.match(plan([service('s', 6443)], [a])[0]?.problem ?? '', /^port 6443 belongs to the cluster itself/);
    assert.deepEqual(plan([service('s', 80, { loadBalancerClass: 'example.com/lb' })], [a]), []);
  });
});

test('addresses are written, told, and given back with the type', async (t) => {
  const world = createWorld();
  t.after(() => world.stop());
  await world.client.create(nodes, a as Input<Node>);
  await world.run(createServiceLBController(world, { reservedPorts: [6443] }));
  await world.client.create(services, service('web', 80) as Input<Service>);
  await world.client.create(services, service('second', 80) as Input<Service>);
  await world.settle();
  const read = (name: string): unknown =>
    world.client.objects(services).find((one) => one.metadata.name === name)?.status;
  assert.deepEqual(read('web'), { loadBalancer: { ingress: [{ ip: '10.0.0.1', ipMode: 'VIP' }] } });
  assert.deepEqual(read('second'), { loadBalancer: {} });
  assert.ok(world.events.includes('UpdatedLoadBalancer: Updated LoadBalancer with new IPs: [] -> [10.0.0.1]'));
  assert.equal(world.events.filter((text) => text.startsWith('SyncLoadBalancerFailed')).length, 1);
  const web = await world.client.get(services, 'web', 'n');
  await world.client.update(services, { ...web, spec: { ...web.spec, type: 'ClusterIP' } } as Input<Service>);
  await world.settle();
  assert.deepEqual(read('web'), {});
  assert.deepEqual(read('second'), { loadBalancer: { ingress: [{ ip: '10.0.0.1', ipMode: 'VIP' }] } });
});
