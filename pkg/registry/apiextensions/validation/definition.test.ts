import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition, JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import { fieldErrorText } from '../../../apimachinery/field-error.ts';
import { validateChangedDefinition, validateNewDefinition } from './definition.ts';

type Spec = CustomResourceDefinition['spec'];

const root = (x: object): JSONSchemaProps => ({
  type: 'object',
  properties: { x: x as JSONSchemaProps },
});

function definition(schema: JSONSchemaProps, spec: Partial<Spec> = {}): CustomResourceDefinition {
  const given: Spec = {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    ...spec,
  };
  const status = { acceptedNames: { plural: '', kind: '' }, storedVersions: ['v1'] };
  return { metadata: { name: 'things.example.com' }, spec: given, status } as unknown as CustomResourceDefinition;
}

/** What is told of a definition; `S` stands for the path of its schema, `X` for that of the property `x`. */
const told = (given: CustomResourceDefinition): string[] =>
  [...validateNewDefinition(given)].map((error) =>
    fieldErrorText(error)
      .replaceAll('spec.validation.openAPIV3Schema.properties[x]', 'X')
      .replaceAll('spec.validation.openAPIV3Schema', 'S'),
  );

const list = (more: object, items: object = { type: 'string' }): object => ({ type: 'array', items, ...more });
const byA = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a'] };

/** The answers of upstream's apiextensions-apiserver 0.36. */
const PROPERTIES: readonly (readonly [x: object, texts: readonly string[]])[] = [
  [{ type: 'string' }, []],
  [{}, ['X.type: Required value: must not be empty for specified object fields']],
  [list({}, {}), ['X.items.type: Required value: must not be empty for specified array items']],
  [{ type: 'array' }, ['X.items: Required value: must be specified']],
  [
    { type: 'foo' },
    ['X.type: Unsupported value: "foo": supported values: "array", "boolean", "integer", "number", "object", "string"'],
  ],
  [{ type: 'object', additionalProperties: false }, []],
  [
    { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } },
    ['X.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive'],
  ],
  [
    { type: 'string', pattern: '[' },
    [
      'X.pattern: Invalid value: "[": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ]: `[`',
    ],
  ],
  [{ type: 'string', $schema: 'x' }, ['S: Invalid value: "": OpenAPIV3Schema \'schema\' is not supported']],
  [{ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }, []],
  [
    { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'string' }, { type: 'integer' }] },
    [
      'X.anyOf[0].type: Forbidden: must be empty to be structural',
      'X.anyOf[1].type: Forbidden: must be empty to be structural',
    ],
  ],
  [{ 'x-kubernetes-int-or-string': true, allOf: [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }] }, []],
  [
    { 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true },
    [
      'X.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true',
    ],
  ],
  [
    { type: 'string', allOf: [{ default: 'a' }] },
    ['X.allOf[0].default: Forbidden: must be undefined to be structural'],
  ],
  [{ type: 'string', not: { nullable: true } }, ['X.not.nullable: Forbidden: must be false to be structural']],
  [
    { type: 'string', 'x-kubernetes-embedded-resource': true },
    [
      'X.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      'X.type: Invalid value: "string": must be object if x-kubernetes-embedded-resource is true',
    ],
  ],
  [
    list(
      { ...byA, 'x-kubernetes-list-map-keys': ['a', 'a'] },
      { type: 'object', properties: { a: { type: 'object' } } },
    ),
    [
      'X.items.properties[a].type: Invalid value: "object": must be a scalar type if parent array\'s x-kubernetes-list-type is map',
      'X.items.properties[a].type: Invalid value: "object": must be a scalar type if parent array\'s x-kubernetes-list-type is map',
      'X.x-kubernetes-list-map-keys: Invalid value: []string{"a", "a"}: must not contain duplicate entries',
      'X.items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      'X.items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
    ],
  ],
  [
    list(byA, { type: 'object', nullable: true, required: ['a'], properties: { a: { type: 'string' } } }),
    ['X.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is map'],
  ],
  [
    { type: 'object', 'x-kubernetes-list-type': 'map' },
    [
      'X.type: Invalid value: "object": must be array if x-kubernetes-list-type is specified',
      'X.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map',
      'X.items: Required value: must have a schema if x-kubernetes-list-type is map',
    ],
  ],
  [
    { type: 'integer', default: 1.5 },
    [
      'X.default: Invalid value: "number":  in body must be of type integer: "number"',
      '<nil>: Invalid value: "": Checked value must be of type integer (default format) in ',
    ],
  ],
  [
    list({ default: ['a', 1] }),
    ['X.default.[1]: Invalid value: "integer": [1] in body must be of type string: "integer"'],
  ],
  [
    { type: 'object', properties: { a: { type: 'string' } }, default: { b: 1 } },
    ['X.default: Invalid value: map[string]interface {}{"b":1}: must not have unknown fields'],
  ],
  [
    { type: 'string', 'x-kubernetes-validations': [{ rule: 'a\nb' }, { rule: 'true', message: ' ' }] },
    [
      'X.x-kubernetes-validations[0].message: Required value: message must be specified if rule contains line breaks',
      'X.x-kubernetes-validations[1].message: Invalid value: " ": must be non-empty if specified',
    ],
  ],
];

test('schemas of definitions', () => {
  for (const [x, texts] of PROPERTIES) assert.deepEqual(told(definition(root(x))), texts, JSON.stringify(x));
});

test('the root of a schema', () => {
  const cases: readonly (readonly [JSONSchemaProps, readonly string[]])[] = [
    [
      { type: 'object', properties: { kind: { type: 'integer' } } },
      ['S.properties[kind].type: Invalid value: "integer": must be string'],
    ],
    [
      { type: 'object', properties: { kind: { type: 'string', default: 'A' } } },
      ['S.properties[kind].default: Forbidden: must not be set in top-level kind'],
    ],
    [{ type: 'object', properties: { metadata: { type: 'object', properties: { name: { type: 'string' } } } } }, []],
    [
      { type: 'object', properties: { a: { type: 'object' } }, anyOf: [{ properties: { b: { minLength: 1 } } }] },
      ['S.properties[b]: Required value: because it is defined in S.anyOf[0].properties[b]'],
    ],
  ];
  for (const [schema, texts] of cases) assert.deepEqual(told(definition(schema)), texts, JSON.stringify(schema));
});

test('what stands beside the schemas', () => {
  const [version] = definition(root({ type: 'string' })).spec.versions;
  assert.ok(version);
  const cases: readonly (readonly [Partial<Spec>, readonly string[]])[] = [
    [
      { versions: [{ ...version, deprecated: true, deprecationWarning: '' }] },
      ['spec.versions[0].deprecationWarning: Invalid value: "": must not be an empty string'],
    ],
    [
      { versions: [{ ...version, selectableFields: [{ jsonPath: '.x[0]' }, { jsonPath: 'x' }, { jsonPath: '.x' }] }] },
      [
        'spec.selectableFields[0].jsonPath: Invalid value: ".x[0]": is an invalid path: array notation is not allowed',
        'spec.selectableFields[1].jsonPath: Invalid value: "x": is an invalid path: expected [ or . but got: x',
      ],
    ],
    [
      { conversion: { strategy: 'None', webhook: { clientConfig: {}, conversionReviewVersions: ['v1'] } } },
      [
        'spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook',
        'spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook',
      ],
    ],
    [
      {
        conversion: {
          strategy: 'Webhook',
          webhook: { clientConfig: { url: 'https://a.b' }, conversionReviewVersions: ['v2', 'v2'] },
        },
      },
      [
        'spec.conversion.conversionReviewVersions[1]: Invalid value: "v2": duplicate version',
        'spec.conversion.conversionReviewVersions: Invalid value: []string{"v2", "v2"}: must include at least one of v1, v1beta1',
      ],
    ],
  ];
  for (const [spec, texts] of cases) {
    assert.deepEqual(told(definition(root({ type: 'string' }), spec)), texts, JSON.stringify(spec));
  }
});

test('a version that was stored stays', () => {
  const before = definition(root({ type: 'string' }));
  const [version] = before.spec.versions;
  assert.ok(version);
  const after = definition(root({ type: 'string' }), { versions: [{ ...version, name: 'v2' }] });
  after.status.storedVersions = ['v1', 'v2'];
  assert.deepEqual([...validateChangedDefinition(after, before)].map(fieldErrorText), [
    'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
  ]);
});
