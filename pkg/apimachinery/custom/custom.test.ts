import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JSONSchemaProps } from '../../api/generated/apiextensions-v1.ts';
import type { Json, JsonObject } from '../../api/schema.ts';
import { decodeCustomObject } from '../decode.ts';
import { applyDefaults } from '../defaults.ts';
import { fieldErrorText } from '../field-error.ts';
import { hasFormat } from './formats.ts';
import { goPattern, goPatternError } from './go-pattern.ts';
import { findAll, parseJsonPath } from './json-path.ts';
import { rootSchema } from './structural-schema.ts';
import { validateLists, validateValue } from './validate-value.ts';

const find = (object: Json, path: string): Json[] => findAll(object, parseJsonPath(path));

test('JSON paths of columns', () => {
  const object = {
    metadata: { labels: { 'a.b/c': 'x' } },
    status: {
      conditions: [
        { type: 'Ready', status: 'True', weight: 3 },
        { type: 'Other', status: 'False' },
      ],
      list: [1, 2, 3],
    },
  };
  const cases: [string, Json[]][] = [
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='Other')].status", ['False']],
    ['.status.conditions[?(@.weight>2)].type', ['Ready']],
    ['.status.conditions[*].type', ['Ready', 'Other']],
    ['.status.list[0]', [1]],
    ['.status.list[-1]', [3]],
    ['.metadata.labels.a\\.b/c', ['x']],
    [".metadata.labels['a.b/c']", ['x']],
    ['.status.none.deeper', []],
  ];
  for (const [path, found] of cases) assert.deepEqual(find(object, path), found, path);
  assert.throws(() => parseJsonPath('.a[?(]'));
});

const props: JSONSchemaProps = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        a: { type: 'string', default: 'x' },
        n: { type: 'string', nullable: true, default: 'y' },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        any: { 'x-kubernetes-preserve-unknown-fields': true },
        dict: { type: 'object', additionalProperties: { type: 'integer' } },
        inner: { type: 'object', properties: { b: { type: 'integer', default: 1 } } },
        embedded: {
          type: 'object',
          'x-kubernetes-embedded-resource': true,
          'x-kubernetes-preserve-unknown-fields': true,
        },
      },
    },
  },
};
const schema = rootSchema(props, { kind: 'any' });
const decode = (spec: JsonObject) => {
  const { value, strictErrors } = decodeCustomObject({ kind: 'K', apiVersion: 'v', spec }, schema);
  return { spec: applyDefaults(value, schema)['spec'], strictErrors };
};

test('pruning, nulls and defaults', () => {
  assert.deepEqual(
    decode({ zzz: 1, a: null, n: null, free: { q: null }, any: [{ x: 1 }], dict: { k: null, l: 1 }, inner: { c: 2 } }),
    {
      spec: { a: 'x', n: null, free: { q: null }, any: [{ x: 1 }], dict: { l: 1 }, inner: { b: 1 } },
      strictErrors: ['unknown field "spec.inner.c"', 'unknown field "spec.zzz"'],
    },
  );
  assert.deepEqual(
    decode({ embedded: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'p' }, spec: {} } }).strictErrors,
    [],
  );
});

const problems = (value: Json, given: JSONSchemaProps, old?: Json): string[] =>
  [...validateValue(value, given, 'f', old), ...validateLists(value, given, 'f')].map(fieldErrorText);

test('validation in the words of upstream', () => {
  const cases: [Json, JSONSchemaProps, string[]][] = [
    [5, { 'x-kubernetes-int-or-string': true }, []],
    [null, { type: 'string' }, ['f: Invalid value: "null": f in body must be of type string: "null"']],
    [null, { type: 'string', nullable: true }, []],
    [1, { type: 'number' }, []],
    ['a', { type: 'string', minLength: 2 }, ['f: Invalid value: "a": f in body should be at least 2 chars long']],
    [
      1,
      { type: 'integer', minimum: 1, exclusiveMinimum: true },
      ['f: Invalid value: 1: f in body should be greater than 1'],
    ],
    // Length before pattern, of which only the first that fails is told.
    [
      'A',
      { type: 'string', minLength: 2, pattern: '^[a-z]+$' },
      ['f: Invalid value: "A": f in body should be at least 2 chars long'],
    ],
    [
      1,
      { type: 'number', multipleOf: 0.5 },
      ['f: Invalid value: 0: factor MultipleOf declared for f must be positive: 0'],
    ],
    [
      2 ** 31,
      { type: 'integer', format: 'int32' },
      ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in f'],
    ],
    [
      1.5,
      { type: 'integer', format: 'int32' },
      [
        'f: Invalid value: "float64": f in body must be of type int32: "float64"',
        '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in f',
      ],
    ],
    [
      ['a', 'a', 'a'],
      { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
      ['f[1]: Duplicate value: "a"'],
    ],
    [[1], { type: 'array', minItems: 2 }, ['f: Invalid value: 1: f in body should have at least 2 items']],
    [
      {},
      { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      [
        '<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found none valid',
        'f.a: Required value',
      ],
    ],
    [
      { a: 1, b: 1 },
      { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      ['<nil>: Invalid value: "": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ],
    ['x', { not: { enum: ['x'] } }, ['<nil>: Invalid value: "": "f" must not validate the schema (not)']],
    [
      ['a', 'a'],
      { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
      ['f[1]: Duplicate value: "a"'],
    ],
  ];
  for (const [value, given, texts] of cases) assert.deepEqual(problems(value, given), texts, JSON.stringify(given));
});

test('what an update leaves as it was is not judged again', () => {
  const strict: JSONSchemaProps = {
    type: 'object',
    properties: {
      a: { type: 'string', maxLength: 1 },
      b: { type: 'string' },
      list: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: { type: 'string' }, v: { type: 'integer', minimum: 5 } } },
      },
    },
  };
  const old = { a: 'long', b: 'x', list: [{ k: 'one', v: 1 }] };
  assert.deepEqual(
    problems(
      {
        a: 'long',
        b: 'y',
        list: [
          { k: 'two', v: 5 },
          { k: 'one', v: 1 },
        ],
      },
      strict,
      old,
    ),
    [],
  );
  assert.deepEqual(problems({ a: 'longer', b: 'x' }, strict, old), ['f.a: Too long: may not be more than 1 byte']);
});

test('formats and patterns', () => {
  const formats: [string, string, boolean][] = [
    ['date-time', '2020-01-02T03:04:05.6+02:00', true],
    ['date-time', '2020-01-02', false],
    ['date', '2020-13-02', false],
    ['ipv4', '10.0.0.1', true],
    ['ipv6', '10.0.0.1', false],
    ['cidr', '10.0.0.0/8', true],
    ['uri', 'https://a.b/c', true],
    ['uuid', '123e4567-e89b-12d3-a456-426614174000', true],
    ['byte', 'aGk', false],
    ['date-time', '2020-01-02T25:04:05Z', false],
    ['date', '2020-02-30', false],
    ['ipv4', '01.2.3.4', true],
    ['ipv4', '::ffff:1.2.3.4', true],
    ['hostname', 'a.b', false],
    ['hostname', 'a.example', true],
    ['email', 'A <a@b.c>', true],
    ['uuid4', '16fd2706-8baf-433b-02eb-8c7fada847da', false],
    ['byte', '', false],
    ['isbn', '978-0321751041', true],
    ['isbn10', '0321751044', false],
    ['creditcard', '4111-1111-1111-1111', true],
    ['ssn', '111-11-1111', true],
    ['rgbcolor', 'rgb(256,1,1)', false],
    ['bsonobjectid', 'x', false],
    ['k8s-short-name', 'a.b', false],
    ['k8s-long-name', 'a.b', true],
    ['something', 'anything', true],
  ];
  for (const [format, text, fits] of formats) assert.equal(hasFormat(text, format), fits, `${format} ${text}`);
  assert.ok(goPattern('(?i)^ABC$')?.test('abc'));
  assert.ok(goPattern('^[[:alpha:]]+\\z')?.test('abc'));
  assert.equal(goPattern('('), undefined);
  assert.equal(goPatternError('(?=a)'), 'invalid or unsupported Perl syntax: `(?=`');
  assert.equal(goPatternError('(a'), 'missing closing ): `(a`');
  assert.equal(goPatternError('^[a-z]+$'), undefined);
});
