import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../pkg/api/schema.ts';
import { ApiServerProcess } from './api-server.ts';
import { until } from './controllers/cluster.ts';
import { FORMS } from './every-kind/forms.ts';
import { collectionPath, Life, type Resource } from './every-kind/life.ts';
import { GADGETS, REVIEWS, SAMPLES } from './every-kind/samples.ts';

interface Listed {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

/** Resources at once: the server is one process, the client waits for it most of the time. */
const AT_ONCE = 8;
const CUSTOM = 'every-kind.example.com/v1';

describe('every kind, every verb, every form', () => {
  let server: ApiServerProcess;
  let resources: Resource[];
  before(async () => {
    server = await ApiServerProcess.start();
    // Pods want one; no controller is there to make it.
    await create('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    await create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', GADGETS);
    resources = await until('discovery of the custom resource', async () => {
      const found = await discover(server);
      return found.some(({ custom }) => custom) ? found : undefined;
    });
  });
  after(() => server?.stop());

  async function create(path: string, object: JsonObject): Promise<void> {
    const { status, text } = await server.send({ method: 'POST', path, body: JSON.stringify(object) });
    assert.equal(status, 201, text);
  }

  test('the life of the objects of every resource', { concurrency: AT_ONCE }, async (context) => {
    const stored = resources.filter(({ verbs }) => verbs.includes('create') && verbs.includes('get'));
    assert.ok(stored.length >= 60, `${stored.length} resources`);
    const lives = stored.map((resource) => {
      const { groupVersion, kind } = resource;
      return context.test(`${groupVersion} ${kind}`, async () => {
        const sample = SAMPLES[kind] ?? SAMPLES[`${groupVersion.split('/').at(-2) ?? ''}/${kind}`];
        assert.ok(sample, 'there is a sample of it');
        await new Life(server, resource, sample).run();
      });
    });
    await Promise.all(lives);
  });

  test('reviews are answered in the form they are asked in', async () => {
    const asked = resources.filter(({ verbs }) => verbs.join() === 'create');
    for (const resource of asked) {
      const { groupVersion: apiVersion, kind } = resource;
      for (const form of FORMS) {
        const review = REVIEWS[kind];
        assert.ok(review, `there is no sample of ${kind}`);
        const headers = { accept: form.mediaType, 'content-type': form.mediaType };
        const body = form.write({ apiVersion, kind, ...review.body });
        const { status, bytes } = await server.send({ method: 'POST', path: collectionPath(resource), headers, body });
        const answer = form.read(bytes);
        assert.equal(status, review.status ?? 201, JSON.stringify(answer));
        assert.equal(answer['kind'], review.status === undefined ? kind : 'Status');
      }
    }
    assert.ok(asked.length >= 7, `${asked.length} kinds`);
  });

  test('verbs that discovery does not name are refused', async () => {
    for (const resource of resources.filter(({ custom }) => !custom)) {
      const { name, parts, verbs } = resource;
      const collection = collectionPath(resource);
      await refused(verbs, collection, { POST: ['create'], GET: ['list'], DELETE: ['deletecollection'] });
      await refused([], collection, { PUT: ['update'], PATCH: ['patch'] });
      await refused(verbs, `${collection}/x`, { GET: ['get'], PUT: ['update'], PATCH: ['patch'], DELETE: ['delete'] });
      for (const [part, partVerbs] of Object.entries(parts)) {
        await refused(partVerbs, `${collection}/x/${part}`, {
          POST: ['create'],
          GET: ['get'],
          PUT: ['update'],
          PATCH: ['patch'],
          DELETE: ['delete'],
        });
      }
      assert.ok(name);
    }
  });

  async function refused(
    named: readonly string[],
    path: string,
    methods: Record<string, readonly string[]>,
  ): Promise<void> {
    for (const [method, [verb = '']] of Object.entries(methods)) {
      if (named.includes(verb)) continue;
      const { status, text } = await server.send({ method, path });
      assert.equal(status, 405, `${method} ${path}: ${text}`);
      assert.equal((JSON.parse(text) as { reason: string }).reason, 'MethodNotAllowed');
    }
  }
});

async function discover(server: ApiServerProcess): Promise<Resource[]> {
  const read = async <T>(path: string): Promise<T> =>
    JSON.parse((await server.send({ method: 'GET', path })).text) as T;
  const { groups } = await read<{ groups: { versions: { groupVersion: string }[] }[] }>('/apis');
  const versions = ['v1', ...groups.flatMap((group) => group.versions.map(({ groupVersion }) => groupVersion))];
  const found: Resource[] = [];
  for (const groupVersion of versions) {
    const { resources } = await read<{ resources: Listed[] }>(
      groupVersion === 'v1' ? '/api/v1' : `/apis/${groupVersion}`,
    );
    for (const { name, kind, namespaced, verbs } of resources) {
      if (name.includes('/')) continue;
      const parts = resources.flatMap((each) =>
        each.name.startsWith(`${name}/`) ? [[each.name.slice(name.length + 1), each.verbs] as const] : [],
      );
      const custom = groupVersion === CUSTOM;
      found.push({ groupVersion, name, kind, namespaced, verbs, parts: Object.fromEntries(parts), custom });
    }
  }
  return found;
}
