import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { ensureTestVectors, UPSTREAM_SOURCES } from '../../packaging/dev/lib/test-vectors.ts';
import type { Json, JsonObject, StructSchema } from '../../pkg/api/schema.ts';
import { canonicalize } from '../../pkg/apimachinery/canonical.ts';
import { decodeObject } from '../../pkg/apimachinery/decode.ts';
import { eachField } from '../../pkg/apimachinery/protobuf/decode.ts';
import {
  decodeProtobuf,
  encodeProtobuf,
  openEnvelope,
  schemaOfKind,
} from '../../pkg/apimachinery/protobuf/envelope.ts';
import { parseYaml } from '../../pkg/apimachinery/yaml.ts';
import { builtinDescriptors } from '../../pkg/registry/builtin.ts';

/**
 * Upstream's own test vectors: one object of every kind with every field filled in, as JSON, YAML and protobuf. They
 * come with the Go packages Debian ships.
 */
const API = join(UPSTREAM_SOURCES, 'api', 'testdata');
const EXTENSIONS = join(UPSTREAM_SOURCES, 'apiextensions-apiserver', 'pkg', 'apis', 'testdata');

interface Vector {
  readonly name: string;
  readonly schema: StructSchema;
  readonly json: JsonObject;
  readonly yaml: Json;
  readonly protobuf: Buffer;
}

/** The vectors of the kinds kedge has, of one release. */
function vectorsIn(folder: string): Vector[] {
  const found: Vector[] = [];
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.pb') || file.includes('after_roundtrip')) continue;
    const name = file.slice(0, -'.pb'.length);
    const read = (extension: string): Buffer => readFileSync(join(folder, `${name}.${extension}`));
    const protobuf = read('pb');
    const { apiVersion, kind } = openEnvelope(protobuf);
    const schema = schemaOfKind(apiVersion, kind);
    if (schema === undefined) continue;
    const json = JSON.parse(read('json').toString('utf8')) as JsonObject;
    found.push({ name, schema, json, yaml: parseYaml(read('yaml').toString('utf8')).value, protobuf });
  }
  return found;
}

/** The release kedge speaks: its frozen vectors once there are newer ones. */
function ownRelease(base: string): string {
  const frozen = join(base, 'v1.36.0');
  return existsSync(frozen) ? frozen : join(base, 'HEAD');
}

const stored = (value: Json, schema: StructSchema): string =>
  JSON.stringify(canonicalize(decodeObject(value, schema).value, schema));

const fromProtobuf = (vector: Vector): JsonObject => decodeProtobuf(openEnvelope(vector.protobuf), vector.schema);

describe('upstream test vectors', () => {
  let vectors: Vector[] = [];

  before(async () => {
    await ensureTestVectors();
    vectors = [ownRelease(API), ownRelease(EXTENSIONS)].flatMap(vectorsIn);
  });

  test('there is one of every built-in kind', () => {
    const names = new Set(vectors.map(({ name }) => name));
    // kube-aggregator brings none.
    const kinds = builtinDescriptors.map(({ type }) => type).filter(({ group }) => group !== 'apiregistration.k8s.io');
    const wanted = kinds.map(({ group, version, kind }) => `${group || 'core'}.${version}.${kind}`);
    assert.deepEqual(
      wanted.filter((name) => !names.has(name)),
      [],
    );
    assert.ok(vectors.length >= 90, `${vectors.length} vectors`);
  });

  test('JSON is written as upstream writes it, byte for byte', () => {
    for (const { name, json, schema } of vectors) {
      assert.deepEqual(decodeObject(json, schema).strictErrors, [], name);
      assert.equal(stored(json, schema), JSON.stringify(json), name);
    }
  });

  test('YAML says the same', () => {
    for (const { name, json, yaml, schema } of vectors) assert.equal(stored(yaml, schema), JSON.stringify(json), name);
  });

  test('protobuf says the same', () => {
    for (const vector of vectors) {
      assert.equal(stored(fromProtobuf(vector), vector.schema), JSON.stringify(vector.json), vector.name);
    }
  });

  test('protobuf is written as upstream writes it, byte for byte', () => {
    for (const { name, json, schema, protobuf } of vectors) {
      assert.ok(encodeProtobuf(json, schema).equals(protobuf), name);
    }
  });

  test('a list holds the bytes of its items', () => {
    let lists = 0;
    for (const { name, json, protobuf } of vectors) {
      const apiVersion = String(json['apiVersion']);
      const listKind = `${String(json['kind'])}List`;
      const listSchema = schemaOfKind(apiVersion, listKind);
      if (listSchema?.fields.has('items') !== true) continue;
      const list = { kind: listKind, apiVersion, metadata: { resourceVersion: '7' }, items: [json, json] };
      const envelope = openEnvelope(encodeProtobuf(list, listSchema));
      assert.equal(envelope.kind, listKind);
      const items: Buffer[] = [];
      eachField(envelope.raw, (reader, number) => {
        if (number !== 2) return false;
        items.push(reader.bytes());
        return true;
      });
      const { raw } = openEnvelope(protobuf);
      assert.deepEqual(items, [raw, raw], name);
      lists += 1;
    }
    assert.ok(lists >= 60, `${lists} lists`);
  });

  test('objects of older releases are understood', () => {
    let count = 0;
    for (const release of readdirSync(API).filter((name) => name.startsWith('v1.'))) {
      for (const vector of vectorsIn(join(API, release))) {
        const { name, json, schema } = vector;
        assert.equal(stored(fromProtobuf(vector), schema), stored(json, schema), `${release} ${name}`);
        count += 1;
      }
    }
    assert.ok(count > 0, 'no older release');
  });
});
