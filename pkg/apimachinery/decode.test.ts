import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaOf } from '../api/facts.ts';
import type { Json, JsonObject } from '../api/schema.ts';
import { canonicalize } from './canonical.ts';
import { DecodeError, decodeObject } from './decode.ts';
import { applyDefaults } from './defaults.ts';
import { inDocumentOrder, parseJson } from './json-text.ts';
import { formatYaml, parseYaml, parseYamlDocuments } from './yaml.ts';

const configMap = schemaOf('core.v1.ConfigMap');
const deployment = schemaOf('apps.v1.Deployment');
const pod = schemaOf('core.v1.Pod');

test('unknown fields are named with their path and dropped', () => {
  const body = {
    kind: 'Deployment',
    spec: {
      replica: 2,
      template: { spec: { containers: [{ name: 'c', imagePolicy: 'x' }], bogus: true } },
    },
  };
  const { value, strictErrors } = decodeObject(body, deployment);
  assert.deepEqual(strictErrors, [
    'unknown field "spec.replica"',
    'unknown field "spec.template.spec.containers[0].imagePolicy"',
    'unknown field "spec.template.spec.bogus"',
  ]);
  assert.deepEqual(value, { kind: 'Deployment', spec: { template: { spec: { containers: [{ name: 'c' }] } } } });
  assert.deepEqual(decodeObject({ data: {}, Data: {} }, configMap).strictErrors, ['unknown field "Data"']);
});

test('wrong types', () => {
  const table: [Json, typeof pod, string][] = [
    [{ data: { a: 5 } }, configMap, 'json: cannot unmarshal number into Go struct field ConfigMap.data of type string'],
    [
      { data: [] },
      configMap,
      'json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string',
    ],
    [
      { metadata: { labels: { k: 1 } } },
      configMap,
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [
      { metadata: { annotations: { k: {} } } },
      configMap,
      'json: cannot unmarshal object into Go struct field ObjectMeta.metadata.annotations of type string',
    ],
    [
      { spec: { replicas: 'two' } },
      deployment,
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 1.5 } },
      deployment,
      'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { containers: 'x' } },
      pod,
      'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      { spec: { containers: [{ resources: { limits: { cpu: 'lots' } } }] } },
      pod,
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      { status: { startTime: 'now' } },
      pod,
      'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"',
    ],
    [{ binaryData: { a: '?' } }, configMap, 'illegal base64 data at input byte 0'],
  ];
  for (const [body, schema, message] of table) {
    assert.throws(
      () => decodeObject(body, schema),
      (error) => error instanceof DecodeError && error.message === message,
      message,
    );
  }
});

test('nulls vanish, quantities and times become canonical, the rest is shared', () => {
  const body: JsonObject = {
    metadata: { name: 'p', creationTimestamp: null, labels: { a: 'b' } },
    spec: {
      nodeName: null,
      containers: [{ name: 'c', args: ['x', null], resources: { limits: { cpu: 0.5, memory: '1024Mi' } } }],
    },
    status: { startTime: '2026-01-01T01:00:00.5+01:00' },
  };
  const before = JSON.stringify(body);
  const { value } = decodeObject(body, pod);
  assert.deepEqual(value, {
    metadata: { name: 'p', labels: { a: 'b' } },
    spec: { containers: [{ name: 'c', args: ['x', ''], resources: { limits: { cpu: '500m', memory: '1Gi' } } }] },
    status: { startTime: '2026-01-01T00:00:00Z' },
  });
  assert.equal(JSON.stringify(body), before);
  assert.equal((value['metadata'] as JsonObject)['labels'], (body['metadata'] as JsonObject)['labels']);
  assert.equal(decodeObject(value, pod).value, value);
});

test('duplicate keys are named, and merge as in Go', () => {
  assert.deepEqual(parseJson('{"a":"x:\\"","b":[{"c":1}]}').duplicates, []);
  const parsed = parseJson('{"data":{"a":"1"},"data":{"b":"2"},"l":[{"n":1, "n":2}]}');
  assert.deepEqual(parsed.duplicates, ['duplicate field "data"', 'duplicate field "l[0].n"']);
  const unknown = ['unknown field "data.b"', 'unknown field "l"'];
  assert.deepEqual(inDocumentOrder(parsed, unknown), [
    'duplicate field "data"',
    'unknown field "data.b"',
    'unknown field "l"',
    'duplicate field "l[0].n"',
  ]);
  assert.deepEqual(parsed.value, { data: { a: '1', b: '2' }, l: [{ n: 2 }] });
  assert.throws(() => parseJson(`${'['.repeat(5000)}${']'.repeat(5000)}`), SyntaxError);
});

test('malformed JSON, in the words of Go', () => {
  const table: [string, string][] = [
    ['', 'unexpected end of JSON input'],
    ['{"apiVersion": "v1", ', 'unexpected end of JSON input'],
    ['{"a":1} x', "invalid character 'x' after top-level value"],
    ['{"a":}', "invalid character '}' looking for beginning of value"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['[1 2]', "invalid character '2' after array element"],
    ['nul!', "invalid character '!' in literal null (expecting 'l')"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.', 'unexpected end of JSON input'],
  ];
  for (const [text, message] of table) assert.throws(() => parseJson(text), { name: 'SyntaxError', message }, text);
});

test('YAML 1.1 scalars', () => {
  const { value } = parseYaml('a: yes\nb: off\nc: "yes"\nd: 0644\ne: 2020-01-01\nf: 1:30\n1: x\ng: 1_000\nh: ~\n');
  assert.deepEqual(value, {
    1: 'x',
    a: true,
    b: false,
    c: 'yes',
    d: 420,
    e: '2020-01-01',
    f: '1:30',
    g: 1000,
    h: null,
  });
});

test('YAML documents, anchors, duplicates, failures', () => {
  assert.deepEqual(
    parseYamlDocuments('---\na: 1\n---\n# nothing\n---\nb: 2\n').map(({ value }) => value),
    [{ a: 1 }, { b: 2 }],
  );
  assert.deepEqual(parseYaml('').value, null);
  assert.deepEqual(parseYaml('p: &x {a: 1}\nq: {<<: *x, b: 2}').value, { p: { a: 1 }, q: { a: 1, b: 2 } });
  assert.deepEqual(parseYaml('a: 1\na: 2'), { value: { a: 2 }, duplicates: ['line 2: key "a" already set in map'] });
  assert.throws(() => parseYaml('a: [1'), /^Error: yaml: (line \d+: )?did not find/);
  assert.deepEqual(parseYaml('{"a": {"b": [1, true, null, "x"]}}').value, { a: { b: [1, true, null, 'x'] } });
  const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 9; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(',')}]`,
    );
  assert.throws(() => parseYaml(bomb.join('\n')), /Excessive alias count/);
  assert.equal(formatYaml({ b: ['x'], a: 'yes', c: { d: null } }), 'a: "yes"\nb:\n- x\nc:\n  d: null\n');
});

test('defaults go into structs that are there', () => {
  const service = schemaOf('core.v1.Service');
  const body: JsonObject = { spec: { ports: [{ port: 80 }, { port: 81, protocol: 'UDP' }] } };
  const filled = applyDefaults(body, service);
  assert.deepEqual(filled, {
    spec: {
      ports: [
        { port: 80, protocol: 'TCP' },
        { port: 81, protocol: 'UDP' },
      ],
    },
  });
  assert.deepEqual(body, { spec: { ports: [{ port: 80 }, { port: 81, protocol: 'UDP' }] } });
  assert.equal(applyDefaults(filled, service), filled);
  assert.deepEqual(applyDefaults({}, service), {});
});

test('stored form: zero values as Go writes them', () => {
  const stored = canonicalize({ data: {}, immutable: false, metadata: { name: 'c', labels: {} } }, configMap);
  assert.deepEqual(stored, { metadata: { name: 'c' }, immutable: false });
  const container = canonicalize({ image: 'i', name: 'c', stdin: false, args: [] }, schemaOf('core.v1.Container'));
  assert.equal(JSON.stringify(container), '{"name":"c","image":"i","resources":{}}');
  const condition = canonicalize({ type: 'A', status: 'True' }, schemaOf('apps.v1.DeploymentCondition'));
  assert.deepEqual(condition, { type: 'A', status: 'True', lastUpdateTime: null, lastTransitionTime: null });
});
