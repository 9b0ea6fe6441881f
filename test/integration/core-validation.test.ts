import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Json, JsonObject } from '../../pkg/api/schema.ts';
import type { KubeObject } from '../../pkg/api/types.ts';
import { isJsonObject } from '../../pkg/apimachinery/json.ts';
import { parseYaml } from '../../pkg/apimachinery/yaml.ts';
import { ApiServerProcess } from './api-server.ts';

/** What is sent to the API of the core group, and what is said against it. */
const FOLDER = join(import.meta.dirname, 'core-validation');
const CLUSTER_SCOPED: readonly string[] = ['nodes', 'persistentvolumes', 'namespaces'];
/** How a step of a case is sent. */
const ACTIONS: Readonly<Record<string, readonly [method: string, type: string]>> = {
  post: ['POST', 'application/json'],
  put: ['PUT', 'application/json'],
  merge: ['PATCH', 'application/merge-patch+json'],
  strategic: ['PATCH', 'application/strategic-merge-patch+json'],
  delete: ['DELETE', 'application/json'],
};

/** A line that ends in an ellipsis is but the beginning. */
const cut = (line: string, wanted: string | undefined): string =>
  wanted?.endsWith('…') ? `${line.slice(0, wanted.length - 1)}…` : line;

const textsOf = (value: Json | undefined): string[] => (Array.isArray(value) ? value.map(String) : []);

/** What an answer says against a request, in the order of the answer; of a difference only the line above it. */
function refusals(text: string): string[] {
  const status = JSON.parse(text) as { kind?: string; status?: string; message?: string; details?: JsonObject };
  if (status.kind !== 'Status' || status.status !== 'Failure') return [];
  const causes = status.details?.['causes'];
  const found = Array.isArray(causes) ? causes.filter(isJsonObject).filter(({ field }) => field !== undefined) : [];
  if (found.length === 0) return [status.message ?? ''];
  return found.map(({ field, message }) => `${String(field)}: ${String(message)}`.split('\n')[0] ?? '');
}

describe('validation of the core group', () => {
  let server: ApiServerProcess;
  before(async () => {
    server = await ApiServerProcess.start();
    const account = { metadata: { name: 'default' }, automountServiceAccountToken: false };
    await send('post', '/api/v1/namespaces/default/serviceaccounts', account);
  });
  after(() => server.stop());

  async function send(action: string, path: string, body: Json): Promise<string[]> {
    const [method, type] = ACTIONS[action] ?? assert.fail(action);
    const call = { method, path, headers: { 'content-type': type }, body: JSON.stringify(body) };
    return refusals((await server.send(call)).text);
  }

  /** Sends one case; what was answered otherwise than expected. */
  async function wrongIn(sample: JsonObject, fallbackName: string): Promise<string[]> {
    const [resource = '', group] = String(sample['resource']).split('/').reverse();
    const scope = CLUSTER_SCOPED.includes(resource) ? '' : 'namespaces/default/';
    const collection = `${group === undefined ? '/api/v1' : `/apis/${group}/v1`}/${scope}${resource}`;
    const sent = sample['object'] as JsonObject;
    const metadata = { name: fallbackName, ...(sent['metadata'] as JsonObject | undefined) };
    const path = `${collection}/${encodeURIComponent(metadata.name)}`;
    const wrong: string[] = [];
    const expect = (what: string, said: readonly string[], refused: Json | undefined): void => {
      const wanted = textsOf(refused);
      const seen = said.map((line, index) => cut(line, wanted[index]));
      if (seen.join('\n') !== wanted.join('\n')) {
        wrong.push(`${what}\n  expected:\n    ${wanted.join('\n    ')}\n  got:\n    ${said.join('\n    ')}`);
      }
    };
    expect(JSON.stringify(sent), await send('post', collection, { ...sent, metadata }), sample['refused']);
    for (const step of (sample['then'] ?? []) as JsonObject[]) {
      const [action = '', body = null] = Object.entries(step).find(([key]) => key !== 'refused') ?? [];
      const [how = '', subresource] = action.split(' ');
      const said = await send(how, subresource === undefined ? path : `${path}/${subresource}`, body);
      expect(`${action} ${JSON.stringify(body)}`, said, step['refused']);
    }
    await send('delete', `${path}?gracePeriodSeconds=0`, {});
    return wrong;
  }

  test('a Pod knows by its labels where its node is, bound to it or made on it', async () => {
    const labels = { 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r', other: 'o' };
    await send('post', '/api/v1/nodes', { metadata: { name: 'placed', labels } });
    const pods = '/api/v1/namespaces/default/pods';
    const containers = [{ name: 'c', image: 'i' }];
    await send('post', pods, { metadata: { name: 'bound', labels: { a: 'b' } }, spec: { containers } });
    await send('post', `${pods}/bound/binding`, { metadata: { name: 'bound' }, target: { name: 'placed' } });
    await send('post', pods, {
      metadata: { name: 'made', labels: { a: 'b' } },
      spec: { containers, nodeName: 'placed' },
    });
    const { other: _, ...place } = labels;
    for (const name of ['bound', 'made']) {
      const { text } = await server.send({ method: 'GET', path: `${pods}/${name}` });
      assert.deepEqual((JSON.parse(text) as KubeObject).metadata.labels, { a: 'b', ...place }, text);
    }
  });

  for (const file of readdirSync(FOLDER)) {
    test(file.replace('.yaml', ''), async () => {
      const samples = parseYaml(readFileSync(join(FOLDER, file), 'utf8')).value as JsonObject[];
      const wrong: string[] = [];
      for (const [index, sample] of samples.entries()) wrong.push(...(await wrongIn(sample, `x${index}`)));
      assert.deepEqual(wrong, [], wrong.join('\n'));
      assert.ok(samples.length > 0);
    });
  }
});
