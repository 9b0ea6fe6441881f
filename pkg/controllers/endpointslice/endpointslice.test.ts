import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Pod } from '../../api/generated/core-v1.ts';
import { endpointSlices, endpoints, pods, services } from '../../api/resources.ts';
import type { Input } from '../../api/types.ts';
import { addNode, createWorld, type World } from '../testing/harness.ts';
import { createEndpointsController } from './endpoints.ts';
import { createEndpointSliceController } from './endpointslice.ts';

const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createEndpointSliceController(world));
  await world.run(createEndpointsController(world));
  await addNode(world, 'node');
  await world.client.create(services, {
    metadata: { name: 's', namespace: 'n' },
    spec: { selector: { app: 'e' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ipFamilies: ['IPv4'] },
  });
  await world.settle();
});
afterEach(() => world.stop());

const pod = (name: string, ip: string, lastTransitionTime: string | null): Input<Pod> => ({
  metadata: { name, namespace: 'n', labels: { app: 'e' } },
  spec: { nodeName: 'node', containers: [{ name: 'c', image: 'app' }] },
  status: {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: 'Ready', status: lastTransitionTime === null ? 'False' : 'True', lastTransitionTime }],
  },
});
const slice = () => world.client.objects(endpointSlices)[0];

test('follows the Pods, and says since when', async () => {
  assert.deepEqual([slice()?.endpoints, slice()?.metadata.generateName], [undefined, 's-']);
  assert.equal(slice()?.metadata.annotations?.[TRIGGER_TIME], '2026-01-01T00:00:00Z');
  await world.client.create(pods, pod('a', '10.1.0.5', '2020-01-01T00:00:00Z'));
  await world.settle();
  assert.equal(slice()?.endpoints?.length, 1);
  assert.equal(slice()?.metadata.annotations?.[TRIGGER_TIME], '2020-01-01T00:00:00Z');
  assert.equal((await world.client.get(endpoints, 's', 'n')).subsets?.[0]?.addresses?.[0]?.ip, '10.1.0.5');
  await world.client.create(pods, pod('b', '10.1.0.6', null));
  await world.settle();
  assert.deepEqual(
    slice()?.endpoints?.map(({ conditions }) => conditions.ready),
    [true, false],
  );
  assert.equal(slice()?.metadata.annotations?.[TRIGGER_TIME], undefined);
  await world.client.delete(pods, 'a', { namespace: 'n' });
  await world.settle();
  assert.deepEqual(slice()?.endpoints?.[0]?.conditions, { ready: false, serving: true, terminating: true });
  assert.equal((await world.client.get(endpoints, 's', 'n')).subsets?.[0]?.addresses, undefined);
});

test('what changes no endpoint writes nothing', async () => {
  await world.client.create(pods, pod('a', '10.1.0.5', '2020-01-01T00:00:00Z'));
  await world.settle();
  const before = slice()?.metadata.resourceVersion;
  await world.client.patch(
    pods,
    'a',
    { type: 'merge', body: { metadata: { annotations: { x: 'y' } } } },
    { namespace: 'n' },
  );
  await world.settle();
  assert.equal(slice()?.metadata.resourceVersion, before);
});

test('a slice that someone deletes comes back; a Service that goes takes its Endpoints', async () => {
  await world.client.delete(endpointSlices, slice()?.metadata.name ?? '', { namespace: 'n' });
  await world.settle();
  assert.equal(world.client.objects(endpointSlices).length, 1);
  await world.client.delete(services, 's', { namespace: 'n' });
  await world.settle();
  assert.deepEqual(world.client.objects(endpoints), []);
});

test('a Pod on a node that is not known yet waits for it', async () => {
  const object = pod('a', '10.1.0.5', '2020-01-01T00:00:00Z');
  await world.client.create(pods, { ...object, spec: { ...object.spec, nodeName: 'late' } });
  await world.settle();
  assert.equal(slice()?.endpoints, undefined);
  await addNode(world, 'late', { metadata: { name: 'late', labels: { 'topology.kubernetes.io/zone': 'z' } } });
  await world.settle();
  assert.equal(slice()?.endpoints?.[0]?.zone, 'z');
});
