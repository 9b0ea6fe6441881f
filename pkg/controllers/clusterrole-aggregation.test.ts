import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyRule } from '../api/generated/rbac-v1.ts';
import { clusterRoles } from '../api/resources.ts';
import { ensureBootstrapPolicy } from '../apiserver/authz/policy-reconcile.ts';
import { rulesCover } from '../apiserver/authz/rules.ts';
import { createClusterRoleAggregationController } from './clusterrole-aggregation.ts';
import { createWorld, type World } from './testing/harness.ts';

async function rulesOf(world: World, name: string): Promise<readonly PolicyRule[]> {
  return (await world.client.get(clusterRoles, name)).rules ?? [];
}

test('the default roles fill admin, edit and view, each containing the next', async () => {
  const world = createWorld();
  await ensureBootstrapPolicy(world.client, world.log);
  await world.run(createClusterRoleAggregationController(world));
  for (let round = 0; round < 3; round++) {
    await world.clock.advance(100);
    await world.settle();
  }
  const [admin, edit, view] = await Promise.all(['admin', 'edit', 'view'].map((name) => rulesOf(world, name)));
  assert.ok(admin && edit && view);
  assert.ok(rulesCover(admin, edit));
  assert.ok(rulesCover(edit, view));
  assert.ok(rulesCover(view, [{ verbs: ['get'], apiGroups: [''], resources: ['pods/log'] }]));
  assert.ok(rulesCover(view, [{ verbs: ['list'], apiGroups: ['resource.k8s.io'], resources: ['resourceclaims'] }]));
  assert.ok(!rulesCover(view, [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }]));
  await world.stop();
});

test("a chart's role joins in and leaves again; a second reconciling writes nothing", async () => {
  const world = createWorld();
  const selectors = [{ matchLabels: { sum: 'yes' } }];
  const part = (name: string, resource: string): object => ({
    metadata: { name, labels: { sum: 'yes' } },
    rules: [{ verbs: ['get'], apiGroups: ['x'], resources: [resource] }],
  });
  await world.client.create(clusterRoles, {
    metadata: { name: 'sum' },
    aggregationRule: { clusterRoleSelectors: selectors },
  });
  await world.client.create(clusterRoles, part('b', 'two'));
  await world.run(createClusterRoleAggregationController(world));
  await world.client.create(clusterRoles, part('a', 'one'));
  await world.client.create(clusterRoles, part('c', 'one'));
  await world.clock.advance(100);
  await world.settle();
  assert.deepEqual(
    (await rulesOf(world, 'sum')).map(({ resources }) => resources?.join()),
    ['one', 'two'],
  );
  const { resourceVersion } = (await world.client.get(clusterRoles, 'sum')).metadata;
  await world.clock.advance(200);
  await world.settle();
  assert.equal((await world.client.get(clusterRoles, 'sum')).metadata.resourceVersion, resourceVersion);
  await world.client.delete(clusterRoles, 'b');
  await world.clock.advance(100);
  await world.settle();
  assert.deepEqual(
    (await rulesOf(world, 'sum')).map(({ resources }) => resources?.join()),
    ['one'],
  );
  await world.stop();
});
