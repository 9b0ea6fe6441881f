import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { configMaps, namespaces, pods, secrets, serviceAccounts } from '../api/resources.ts';
import { createNamespaceController } from './namespace.ts';
import { createRootCAPublisher } from './root-ca.ts';
import { createServiceAccountController } from './serviceaccount.ts';
import { createWorld, type World } from './testing/harness.ts';

let world: World;
beforeEach(async () => {
  world = createWorld();
  await world.run(createServiceAccountController(world));
  await world.run(createRootCAPublisher(world, 'PEM'));
  const listNamespacedResources = () => [configMaps, pods, secrets, serviceAccounts];
  await world.run(createNamespaceController(world, { listNamespacedResources }));
  await world.client.create(namespaces, {
    metadata: { name: 'n' },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
  await world.settle();
});
afterEach(() => world.stop());

test('a namespace gets its service account and the CA, and gets them back', async () => {
  const map = await world.client.get(configMaps, 'kube-root-ca.crt', 'n');
  assert.deepEqual(map.data, { 'ca.crt': 'PEM' });
  await world.client.delete(serviceAccounts, 'default', { namespace: 'n' });
  await world.client.patch(
    configMaps,
    'kube-root-ca.crt',
    { type: 'merge', body: { data: { 'ca.crt': 'x', y: 'z' } } },
    {
      namespace: 'n',
    },
  );
  await world.settle();
  assert.equal((await world.client.get(serviceAccounts, 'default', 'n')).metadata.name, 'default');
  assert.deepEqual((await world.client.get(configMaps, 'kube-root-ca.crt', 'n')).data, { 'ca.crt': 'PEM' });
});

test('a deleted namespace empties itself: Pods first, then the rest, then itself', async () => {
  await world.client.create(pods, {
    metadata: { name: 'p', namespace: 'n' },
    spec: { nodeName: 'node', containers: [], terminationGracePeriodSeconds: 30 },
    status: { phase: 'Running' },
  });
  await world.client.create(secrets, { metadata: { name: 's', namespace: 'n', finalizers: ['example.com/hold'] } });
  await world.client.delete(namespaces, 'n');
  await world.settle();
  let { conditions = [], phase } = (await world.client.get(namespaces, 'n')).status;
  assert.equal(phase, 'Terminating');
  const message = (type: string) => conditions.find((condition) => condition.type === type)?.message;
  assert.equal(message('NamespaceContentRemaining'), 'Some resources are remaining: pods. has 1 resource instances');
  assert.equal(world.client.objects(secrets)[0]?.metadata.deletionTimestamp, undefined, 'Pods may still need it');

  await world.client.delete(pods, 'p', { namespace: 'n', gracePeriodSeconds: 0 });
  await world.settle();
  ({ conditions = [], phase } = (await world.client.get(namespaces, 'n')).status);
  assert.equal(
    message('NamespaceFinalizersRemaining'),
    'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
  );
  assert.deepEqual(world.client.objects(configMaps), []);

  await world.client.patch(
    secrets,
    's',
    { type: 'merge', body: { metadata: { finalizers: null } } },
    { namespace: 'n' },
  );
  await world.clock.advance(10_000);
  assert.deepEqual(world.client.objects(namespaces), []);
  assert.deepEqual(world.client.objects(serviceAccounts), []);
});
