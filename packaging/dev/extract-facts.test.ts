import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { schemaOf, typeNames } from '../../pkg/api/facts.ts';
import type { Schema } from '../../pkg/api/schema.ts';
import { ROOT } from './lib/project.ts';

const MODELS = join(ROOT, 'node_modules/kubernetes-models');
const META = join(ROOT, 'node_modules/@kubernetes-models/apimachinery/apis/meta');

/** The interface that kubernetes-models, made from the same release's API description, has of a type. */
function modelOf(typeName: string): string | undefined {
  const [group = '', ...rest] = typeName.split('.');
  const folder = readdirSync(MODELS).find((name) => name.split('.')[0] === group) ?? group;
  const root = { core: MODELS, meta: META }[group] ?? join(MODELS, folder);
  const file = join(root, `${rest.join('/')}.d.ts`);
  if (!existsSync(file)) return undefined;
  return readFileSync(file, 'utf8')
    .split('export declare class')[0]
    ?.replace(/\/\*\*[\s\S]*?\*\//g, '');
}

const enumOf = (schema: Schema): readonly string[] => {
  if (schema.kind === 'list') return enumOf(schema.items);
  return schema.kind === 'scalar' ? (schema.enum ?? []) : [];
};

test('fields, which of them are required, and enums are those of the release', () => {
  let compared = 0;
  for (const typeName of typeNames) {
    const model = modelOf(typeName);
    if (model === undefined) continue;
    const { fields } = schemaOf(typeName);
    const declared = [...model.matchAll(/^ {4}"([^"]+)"(\??): (.*)$/gm)];
    assert.deepEqual([...fields.keys()].sort(), declared.map(([, name]) => name).sort(), typeName);
    for (const [, name = '', optional, type = ''] of declared) {
      const field = fields.get(name);
      if (field === undefined || name === 'kind' || name === 'apiVersion') continue;
      assert.equal(field.required, optional === '', `${typeName}.${name} is required`);
      // Types written out in place are not looked into.
      if (type === '{' || type.includes('<{')) continue;
      const values = [...type.matchAll(/"([^"]*)"/g)].map(([, value]) => value);
      assert.deepEqual([...enumOf(field.schema)].sort(), values.sort(), `${typeName}.${name}`);
    }
    compared++;
  }
  assert.ok(compared > 550, `${compared} types`);
});
