/** One table of cases, run with the in-process client and with the one over HTTP: they must behave alike. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ConfigMap, Pod } from '../../../pkg/api/generated/core-v1.ts';
import {
  clusterRoles,
  configMaps,
  deployments,
  namespaces,
  nodes,
  pods,
  serviceAccounts,
} from '../../../pkg/api/resources.ts';
import { StatusError } from '../../../pkg/apimachinery/status-error.ts';
import type { Client } from '../../../pkg/client/client.ts';
import { ApiWorld } from './api-world.ts';

let world: ApiWorld;
const clients = new Map<string, Client>();

before(async () => {
  world = await ApiWorld.start();
  clients.set('in-process', world.inProcess);
  clients.set('http', await world.http());
  for (const namespace of clients.keys()) {
    await world.inProcess.create(namespaces, { metadata: { name: namespace } });
    await world.inProcess.create(serviceAccounts, { metadata: { name: 'default', namespace } });
  }
});

after(() => world.stop());

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof StatusError) return `${error.code} ${error.reason}: ${error.message}`;
    throw error;
  }
  return 'no refusal';
}

const deploymentSpec = {
  selector: { matchLabels: { app: 'a' } },
  template: { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
};

/** Each case gives what has to be the same over both transports; `ns` is a namespace of the transport's own. */
const CASES: Readonly<Record<string, (client: Client, ns: string) => Promise<unknown>>> = {
  'create gives the stored object': async (client, ns) => {
    const made = await client.create(deployments, { metadata: { name: 'd', namespace: ns }, spec: deploymentSpec });
    const { uid, resourceVersion, creationTimestamp, managedFields, namespace, ...metadata } = made.metadata;
    assert.ok(uid && resourceVersion && creationTimestamp && namespace === ns);
    assert.deepEqual(await client.get(deployments, 'd', ns), made);
    return { ...made, metadata, managers: managedFields?.map(({ manager, operation }) => ({ manager, operation })) };
  },
  generateName: async (client, ns) => {
    const made = await client.create(configMaps, { metadata: { generateName: 'gen-', namespace: ns } });
    return /^gen-[a-z0-9]{5}$/.test(made.metadata.name);
  },
  refusals: async (client, ns) => {
    const old = await client.create(configMaps, { metadata: { name: 'r', namespace: ns }, data: { a: '1' } });
    await client.update(configMaps, { ...old, data: { a: '2' } });
    return [
      await refusal(client.get(configMaps, 'absent', ns)),
      await refusal(client.create(configMaps, { metadata: { name: 'r', namespace: ns } })),
      await refusal(client.update(configMaps, { ...old, data: { a: '3' } })),
      await refusal(client.create(configMaps, { metadata: { name: 'Not Valid', namespace: ns } })),
      await refusal(client.create(configMaps, { metadata: { name: 'x', namespace: 'absent' } })),
      await refusal(client.delete(configMaps, 'absent', { namespace: ns })),
      await refusal(client.delete(configMaps, 'r', { namespace: ns, preconditions: { uid: 'other' } })),
      await refusal(client.patch(configMaps, 'absent', { type: 'merge', body: {} }, { namespace: ns })),
      await refusal(
        client.patch(
          configMaps,
          'r',
          { type: 'json', operations: [{ op: 'test', path: '/data/a', value: 'x' }] },
          { namespace: ns },
        ),
      ),
      await refusal(
        client.create(deployments, {
          metadata: { name: 'bad', namespace: ns },
          spec: { ...deploymentSpec, replicas: -1 },
        }),
      ),
      await refusal(client.list(configMaps, { labelSelector: '!!' })),
      await refusal(client.list(configMaps, { fieldSelector: 'data.a=1' })),
    ].map((text) => text.replaceAll(old.metadata.uid, 'UID'));
  },
  'patches of every kind': async (client, ns) => {
    const options = { namespace: ns };
    await client.create(deployments, { metadata: { name: 'p', namespace: ns }, spec: deploymentSpec });
    await client.patch(deployments, 'p', { type: 'merge', body: { spec: { replicas: 3 } } }, options);
    const container = { name: 'c', env: [{ name: 'E', value: '1' }] };
    await client.patch(
      deployments,
      'p',
      { type: 'strategic', body: { spec: { template: { spec: { containers: [container] } } } } },
      options,
    );
    const operations = [{ op: 'add', path: '/metadata/labels', value: { l: '1' } }];
    await client.patch(deployments, 'p', { type: 'json', operations }, options);
    const status = { type: 'merge' as const, body: { status: { replicas: 2 } } };
    const {
      metadata,
      spec,
      status: now,
    } = await client.patch(deployments, 'p', status, { ...options, subresource: 'status' });
    return { labels: metadata.labels, generation: metadata.generation, spec, now };
  },
  'server-side apply': async (client, ns) => {
    const apply = (data: object, fieldManager: string, force?: boolean): Promise<ConfigMap> => {
      const body = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 's', namespace: ns }, data };
      const options = { namespace: ns, fieldManager, ...(force === undefined ? {} : { force }) };
      return client.patch(configMaps, 's', { type: 'apply', body }, options);
    };
    const first = await apply({ a: '1', b: '1' }, 'one');
    const conflict = await refusal(apply({ a: '2' }, 'two'));
    const forced = await apply({ a: '2' }, 'two', true);
    const rest = await apply({ b: '1' }, 'one');
    return [first.data, conflict, forced.data, rest.data, rest.metadata.managedFields?.map(({ manager }) => manager)];
  },
  'lists and their selectors': async (client, ns) => {
    for (const name of ['l1', 'l2', 'l3']) {
      const labels = { odd: String(name !== 'l2') };
      await client.create(configMaps, { metadata: { name, namespace: ns, labels } });
    }
    const all = await client.list(configMaps, { namespace: ns, labelSelector: 'odd' });
    const odd = await client.list(configMaps, { labelSelector: 'odd=true' });
    const one = await client.list(configMaps, { namespace: ns, fieldSelector: 'metadata.name=l3' });
    assert.ok(Number(all.resourceVersion) > 0);
    for (const item of all.items) assert.deepEqual([item.kind, item.apiVersion], ['ConfigMap', 'v1']);
    const names = (items: readonly ConfigMap[]): string[] =>
      items.filter(({ metadata }) => metadata.namespace === ns).map(({ metadata }) => metadata.name);
    return [names(all.items), names(odd.items), names(one.items)];
  },
  'deletion, one and many': async (client, ns) => {
    const make = (name: string): Promise<ConfigMap> =>
      client.create(configMaps, { metadata: { name, namespace: ns, labels: { del: ns } } });
    for (const name of ['x1', 'x2', 'x3', 'x4']) await make(name);
    await client.delete(configMaps, 'x1', { namespace: ns });
    await client.deleteCollection(configMaps, { namespace: ns, fieldSelector: 'metadata.name=x2' });
    const left = await client.list(configMaps, { labelSelector: `del=${ns}` });
    await client.deleteCollection(configMaps, { labelSelector: `del=${ns}` });
    const none = await client.list(configMaps, { labelSelector: `del=${ns}` });
    return [left.items.map(({ metadata }) => metadata.name), none.items.length];
  },
  'subresources: binding, token, graceful end': async (client, ns) => {
    await client.create(pods, {
      metadata: { name: 'pod', namespace: ns },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    const target = {
      kind: 'Binding',
      apiVersion: 'v1',
      metadata: { name: 'pod', namespace: ns },
      target: { kind: 'Node', name: 'n1' },
    };
    await client.createSubresource(pods, 'pod', 'binding', target, { namespace: ns });
    const body = {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      spec: { audiences: [], expirationSeconds: 600 },
    };
    const made = await client.createSubresource<{ status: { token: string } }>(
      serviceAccounts,
      'default',
      'token',
      body,
      { namespace: ns },
    );
    assert.equal(made.status.token.split('.').length, 3);
    const pod = await client.get(pods, 'pod', ns);
    const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: pod.metadata.creationTimestamp }];
    const running = await client.update(
      pods,
      { ...pod, status: { ...pod.status, phase: 'Running', conditions } } as Pod,
      { subresource: 'status' },
    );
    await client.delete(pods, 'pod', { namespace: ns });
    const ending = await client.get(pods, 'pod', ns);
    await client.delete(pods, 'pod', { namespace: ns, gracePeriodSeconds: 0 });
    const again = await refusal(client.get(pods, 'pod', ns));
    return [pod.spec.nodeName, running.status.phase, ending.metadata.deletionGracePeriodSeconds, again];
  },
  'objects of the cluster': async (client, ns) => {
    await client.create(nodes, {
      metadata: { name: `node-${ns}`, labels: { n: ns } },
      spec: { podCIDR: '10.42.0.0/24' },
    });
    const named = await client.get(nodes, `node-${ns}`);
    const { items } = await client.list(nodes, { labelSelector: `n=${ns}` });
    await client.delete(nodes, `node-${ns}`);
    const role = await client.get(clusterRoles, 'system:node');
    return [named.spec?.podCIDR, items.length, role.rules?.length];
  },
  'informers tell what happens, in order': async (client, ns) => {
    const told: string[] = [];
    const selector = { namespace: ns, labelSelector: 'i=yes' };
    const make = (name: string, i = 'yes'): Promise<ConfigMap> =>
      client.create(configMaps, { metadata: { name, namespace: ns, labels: { i } } });
    await make('i1');
    const informer = client.informer(configMaps, selector);
    await informer.synced();
    const unsubscribe = informer.subscribe((event) => {
      const old = event.type === 'modified' ? ` was ${event.old.data?.['v'] ?? '-'}` : '';
      told.push(`${event.type} ${event.object.metadata.name} ${event.object.data?.['v'] ?? '-'}${old}`);
    });
    const set = (name: string, body: object): Promise<ConfigMap> =>
      client.patch(configMaps, name, { type: 'merge', body }, { namespace: ns });
    await make('i2', 'no');
    await set('i1', { data: { v: '1' } });
    await set('i1', { data: { v: '2' } });
    await set('i2', { metadata: { labels: { i: 'yes' } }, data: { v: '3' } });
    await set('i1', { metadata: { labels: { i: 'no' } } });
    await client.delete(configMaps, 'i2', { namespace: ns });
    await make('i2');
    const want = 7;
    const deadline = Date.now() + 5000;
    while (told.length < want && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    unsubscribe();
    const present = [
      informer.list().length,
      informer.list('absent').length,
      informer.get('i2', ns)?.kind,
      informer.get('i1', ns),
    ];
    return [told, present];
  },
};

for (const [name, run] of Object.entries(CASES)) {
  test(name, async () => {
    const results: unknown[] = [];
    for (const [ns, client] of clients) {
      const result = await run(client, ns);
      results.push(JSON.parse(JSON.stringify(result ?? null).replaceAll(ns, 'NS')));
    }
    assert.deepEqual(results[1], results[0]);
  });
}
