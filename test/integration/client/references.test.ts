/** What Pods of a node on another machine refer to, read with the rights of that node alone. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../../../pkg/api/generated/core-v1.ts';
import { configMaps, namespaces, pods, secrets, serviceAccounts } from '../../../pkg/api/resources.ts';
import { isStatusReason } from '../../../pkg/apimachinery/status-error.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import type { HttpClient } from '../../../pkg/client/http/http-client.ts';
import { WatchedReferences } from '../../../pkg/kubelet/watched-references.ts';
import { ApiWorld } from './api-world.ts';

const NS = 'ns';
let world: ApiWorld;
let node: HttpClient;
const signal = new AbortController().signal;

before(async () => {
  world = await ApiWorld.start();
  const admin = world.inProcess;
  await admin.create(namespaces, { metadata: { name: NS } });
  await admin.create(serviceAccounts, { metadata: { name: 'default', namespace: NS } });
  await admin.create(configMaps, { metadata: { name: 'settings', namespace: NS }, data: { a: '1' } });
  await admin.create(secrets, { metadata: { name: 'password', namespace: NS }, stringData: { p: 'x' } });
  await admin.create(secrets, { metadata: { name: 'foreign', namespace: NS }, stringData: { p: 'x' } });
  node = await world.http('system:node:n1', ['system:nodes']);
});

after(() => world.stop());

function bound(name: string, secret: string): Promise<Pod> {
  const volumes = [
    { name: 'c', configMap: { name: 'settings' } },
    { name: 's', secret: { secretName: secret, optional: true } },
  ];
  const spec = {
    nodeName: 'n1',
    automountServiceAccountToken: false,
    volumes,
    containers: [{ name: 'c', image: 'i' }],
  };
  return world.inProcess.create(pods, { metadata: { name, namespace: NS }, spec });
}

async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; !done(); tries++) {
    assert.ok(tries < 1000, 'not in time');
    await delay(10);
  }
}

test('objects are read by name, followed, and let go with their last Pod', async () => {
  const references = new WatchedReferences({ client: node, clock: systemClock });
  const told: string[] = [];
  references.subscribe((kind, namespace, name) => told.push(`${kind} ${namespace}/${name}`));
  const first = await bound('first', 'password');
  const second = await bound('second', 'late');
  await assert.rejects(node.list(secrets, { namespace: NS }), (error) => isStatusReason(error, 'Forbidden'));
  await assert.rejects(node.get(secrets, 'foreign', NS), (error) => isStatusReason(error, 'Forbidden'));

  references.follow(first);
  references.follow(second);
  references.follow(second);
  await Promise.all([references.loaded(first, signal), references.loaded(second, signal)]);
  assert.equal(references.size, 3);
  const data = references.of(NS);
  assert.deepEqual(data.configMap('settings')?.data, { a: '1' });
  assert.equal(data.secret('password')?.data?.['p'], Buffer.from('x').toString('base64'));
  assert.equal(data.secret('late'), undefined);
  assert.equal(data.secret('foreign'), undefined);

  told.length = 0;
  const change = { type: 'merge' as const, body: { data: { a: '2' } } };
  await world.inProcess.patch(configMaps, 'settings', change, { namespace: NS });
  await world.inProcess.create(secrets, { metadata: { name: 'late', namespace: NS }, stringData: { p: 'y' } });
  await until(() => told.length === 2);
  assert.deepEqual(told.sort(), ['ConfigMap ns/settings', 'Secret ns/late']);
  assert.deepEqual([data.configMap('settings')?.data, data.secret('late')?.kind], [{ a: '2' }, 'Secret']);

  references.release(first.metadata.uid);
  assert.deepEqual([references.size, data.secret('password')], [2, undefined]);
  references.release(second.metadata.uid);
  references.release(second.metadata.uid);
  assert.equal(references.size, 0);
});

test('what may not be read is told of in time', async () => {
  const references = new WatchedReferences({ client: node, clock: systemClock });
  const pod = await bound('third', 'password');
  // A reference the API server does not know of: the node has no right to it.
  const volumes = [{ name: 's', secret: { secretName: 'foreign' } }];
  const claimed: Pod = { ...pod, spec: { ...pod.spec, volumes } };
  references.follow(claimed);
  const stopping = new AbortController();
  const waiting = assert.rejects(references.loaded(claimed, stopping.signal), /could not be read/);
  await delay(300);
  stopping.abort();
  await waiting;
  assert.ok(world.complaints.some((line) => line.includes('secrets') && line.includes('no relationship found')));
  references.release(pod.metadata.uid);
});
