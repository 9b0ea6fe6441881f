import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { endpointSlices, endpoints, services } from '../../api/resources.ts';
import { createWorld, type World } from '../testing/harness.ts';
import { createEndpointSliceMirroringController } from './endpointslicemirroring.ts';

const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const metadata = { name: 'db', namespace: 'n' };
const ports = [{ name: 'sql', port: 5432, protocol: 'TCP' }];

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createEndpointSliceMirroringController(world));
  await world.client.create(services, { metadata, spec: { ports: [{ name: 'sql', port: 5432 }] } });
});
afterEach(() => world.stop());

const slices = () => world.client.objects(endpointSlices);

async function write(subsets: object[], options: object = {}): Promise<void> {
  const object = { metadata: { ...metadata, ...options }, subsets };
  const exists = world.client.objects(endpoints).length > 0;
  await (exists ? world.client.update(endpoints, object as never) : world.client.create(endpoints, object as never));
  await world.settle();
}

test('Endpoints of a Service without selector have slices, one for each family and set of ports', async () => {
  const addresses = [{ ip: '192.0.2.7', hostname: 'db-0', nodeName: 'x' }, { ip: '2001:db8::7' }];
  await write([{ addresses, notReadyAddresses: [{ ip: '192.0.2.8' }], ports }], { labels: { app: 'db' } });
  const [four, six] = slices().sort((a, b) => a.addressType.localeCompare(b.addressType));
  assert.equal(slices().length, 2);
  assert.deepEqual(four?.endpoints, [
    { addresses: ['192.0.2.7'], conditions: { ready: true }, hostname: 'db-0', nodeName: 'x' },
    { addresses: ['192.0.2.8'], conditions: { ready: false } },
  ]);
  assert.deepEqual(six?.endpoints, [{ addresses: ['2001:db8::7'], conditions: { ready: true } }]);
  assert.deepEqual(four?.ports, ports);
  assert.deepEqual(four?.metadata.labels, {
    app: 'db',
    'kubernetes.io/service-name': 'db',
    [MANAGED_BY]: 'endpointslicemirroring-controller.k8s.io',
  });
  assert.equal(four?.metadata.ownerReferences?.[0]?.kind, 'Endpoints');
});

test('changes reach the slice there is; what is not to be mirrored has none', async () => {
  await write([{ addresses: [{ ip: '192.0.2.7' }], ports }]);
  const [before] = slices();
  await write([{ addresses: [{ ip: '192.0.2.9' }, { ip: 'nonsense' }], ports }]);
  assert.deepEqual(
    slices().map((slice) => [slice.metadata.name, slice.endpoints?.map((endpoint) => endpoint.addresses[0])]),
    [[before?.metadata.name, ['192.0.2.9']]],
  );
  assert.ok(world.events.some((event) => event.includes('Skipped 1 invalid IP addresses')));
  await write([{ addresses: [{ ip: '192.0.2.9' }], ports }], {
    labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
  });
  assert.deepEqual(slices(), []);
  await write([{ addresses: [{ ip: '192.0.2.9' }], ports }]);
  assert.equal(slices().length, 1);
  const service = await world.client.get(services, 'db', 'n');
  await world.client.update(services, { ...service, spec: { ...service.spec, selector: { app: 'db' } } });
  await world.settle();
  assert.deepEqual(slices(), [], 'a selector was added');
});

test('slices go with their Endpoints', async () => {
  await write([{ addresses: [{ ip: '192.0.2.7' }], ports }]);
  await world.client.delete(endpoints, 'db', { namespace: 'n' });
  await world.settle();
  assert.deepEqual(slices(), []);
});
