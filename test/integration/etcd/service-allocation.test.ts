import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../../pkg/api/generated/core-v1.ts';
import { services } from '../../../pkg/api/resources.ts';
import { ServiceAllocation } from '../../../pkg/apiserver/admission/service-allocation.ts';
import { ServiceReservations } from '../../../pkg/apiserver/admission/service-reservations.ts';
import { objectKey, Store } from '../../../pkg/apiserver/storage/store.ts';
import { encodeForStorage } from '../../../pkg/apiserver/storage/stored-object.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import { parseCIDR } from '../../../pkg/base/ip.ts';
import { builtinDescriptors } from '../../../pkg/registry/builtin.ts';
import { TestEtcd } from './test-etcd.ts';

/** Addresses of a range so small that two servers without an agreement would choose the same ones. */
const RANGE = '10.43.0.0/26';
const COUNT = 40;

test('three servers never give the same address or port to two Services', async (t) => {
  const etcd = await TestEtcd.start();
  t.after(() => etcd.stop());
  const serviceCIDR = parseCIDR(RANGE);
  const descriptor = builtinDescriptors.find(({ type }) => type.resource === 'services');
  assert.ok(serviceCIDR !== undefined && descriptor !== undefined);
  const servers = await Promise.all(
    [1, 2, 3].map(async () => {
      const datastore = await etcd.datastore();
      t.after(() => datastore.close());
      const store = await Store.open(datastore);
      const nodePorts = { first: 30_000, last: 30_060 };
      // All begin at the same place: the worst that chance could do.
      const options = { serviceCIDR, nodePorts, clock: systemClock, random: () => 0, severalServers: true };
      return { datastore, allocation: new ServiceAllocation(store, options) };
    }),
  );
  const create = async (n: number): Promise<Service> => {
    const server = servers[n % servers.length];
    assert.ok(server !== undefined);
    const object = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `s${n}`, namespace: 'default', uid: String(n) },
      spec: {
        type: 'NodePort',
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        externalTrafficPolicy: 'Cluster',
      },
    } as unknown as Service;
    await server.allocation.mutate({
      ...{ descriptor, namespace: 'default', operation: 'CREATE', object, dryRun: false, fieldManager: '' },
      user: { name: 'test', groups: [] },
      warn: () => {},
    });
    await server.datastore.create(objectKey(services, `s${n}`, 'default'), encodeForStorage(object));
    return object;
  };
  const made = await Promise.all(Array.from({ length: COUNT }, (_, n) => create(n)));
  const distinct = (values: readonly unknown[]): number => new Set(values).size;
  assert.ok(made.every(({ spec }) => spec.clusterIP && spec.ports?.[0]?.nodePort));
  assert.equal(distinct(made.map(({ spec }) => spec.clusterIP)), COUNT);
  assert.equal(distinct(made.map(({ spec }) => spec.ports?.[0]?.nodePort)), COUNT);
});

test('one and the same Service may be made again at once, at any server', async (t) => {
  const etcd = await TestEtcd.start();
  t.after(() => etcd.stop());
  const datastores = await Promise.all([1, 2, 3].map(() => etcd.datastore()));
  t.after(() => Promise.all(datastores.map((datastore) => datastore.close())));
  const reservations = datastores.map((datastore) => new ServiceReservations(datastore, systemClock));
  const takes = Array.from({ length: 30 }, (_, n) => reservations[n % 3]?.take(['10.43.0.1'], 'default/kubernetes'));
  assert.deepEqual(new Set(await Promise.all(takes)), new Set([undefined]));
  assert.equal(await reservations[0]?.take(['10.43.0.2', '10.43.0.1'], 'default/other'), '10.43.0.1');
  assert.equal(await reservations[1]?.take(['10.43.0.2'], 'default/third'), undefined, 'nothing is kept of that');
});
