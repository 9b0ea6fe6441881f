import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

/** The layering of docs/architecture.md: code imports from its own folder and from lower layers, never sideways or up. */
const LAYERS: readonly (readonly string[])[] = [
  ['pkg/base'],
  ['pkg/api'],
  ['pkg/apimachinery'],
  ['pkg/grpc'],
  ['pkg/client', 'pkg/cri', 'pkg/datastore', 'pkg/host', 'pkg/pki', 'pkg/registry', 'pkg/streaming'],
  ['pkg/apiserver', 'pkg/bootstrap', 'pkg/controllers', 'pkg/etcd', 'pkg/kubelet', 'pkg/network', 'pkg/scheduler'],
  ['pkg/agent'],
  ['pkg/server'],
  ['cmd/kedge'],
];

function layerOf(folder: string): number {
  const layer = LAYERS.findIndex((folders) => folders.includes(folder));
  assert.notEqual(layer, -1, `${folder} has no layer: give it one here and in docs/architecture.md`);
  return layer;
}

const folderOf = (file: string): string => file.split('/').slice(0, 2).join('/');

test('imports point downwards', () => {
  const root = join(import.meta.dirname, '../..');
  const wrong: string[] = [];
  for (const file of globSync('{cmd,pkg}/**/*.ts', { cwd: root })) {
    // Tests may use whatever sets the scene.
    if (/\.(test|fake)\.ts$|\/testing\//.test(file)) continue;
    const from = folderOf(file);
    for (const [, path = ''] of readFileSync(join(root, file), 'utf8').matchAll(/ from '(\.\.?\/[^']+)'/g)) {
      const target = normalize(join(dirname(file), path));
      const to = folderOf(target);
      if (target === 'package.json' || to === from) continue;
      if (layerOf(to) >= layerOf(from)) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});
