import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldErrorText } from './field-error.ts';
import { FieldPath } from './field-path.ts';
import { parseFieldSelector } from './fields.ts';
import { parseLabelSelector } from './label-parser.ts';
import { formatLabelSelector, labelMatcher, validateLabelSelector, validateLabels } from './labels.ts';

test('selector strings: match and text', () => {
  const table: [string, string, Record<string, string>, boolean][] = [
    ['app=x', 'app=x', { app: 'x' }, true],
    ['app==x', 'app==x', { app: 'y' }, false],
    ['app!=x', 'app!=x', {}, true],
    ['app', 'app', { app: '' }, true],
    ['!app', '!app', { app: '' }, false],
    ['tier=two, app=x', 'app=x,tier=two', { app: 'x', tier: 'two' }, true],
    ['app in (y,x)', 'app in (x,y)', { app: 'y' }, true],
    ['app notin (x)', 'app notin (x)', { app: 'x' }, false],
    ['app notin (x)', 'app notin (x)', {}, true],
    ['example.com/k>3', 'example.com/k>3', { 'example.com/k': '4' }, true],
    ['k<3', 'k<3', { k: 'x' }, false],
    ['a in ()', 'a in ()', { a: '' }, true],
    ['a in (,b)', 'a in (,b)', { a: '' }, true],
    ['a=', 'a=', { a: '' }, true],
    ['in=in', 'in=in', { in: 'in' }, true],
    ['', '', {}, true],
    ['constructor', 'constructor', {}, false],
  ];
  for (const [text, canonical, labels, expected] of table) {
    const matcher = parseLabelSelector(text);
    assert.equal(matcher.toString(), canonical, text);
    assert.equal(matcher.matches(labels), expected, text);
  }
});

test('selector strings: errors', () => {
  const table: [string, string][] = [
    ['app in (x', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['=x', "found '=', expected: !, identifier, or 'end of string'"],
    ['app=x y', "found 'y', expected: ',' or 'end of string'"],
    ['app==', ''],
    ['a==b==c', "found '==', expected: ',' or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a===b', "unable to parse requirement: found '=', expected: identifier"],
    [
      '-bad=1',
      `unable to parse requirement: <nil>: Invalid value: "-bad": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    ],
  ];
  for (const [text, message] of table) {
    if (message === '') assert.doesNotThrow(() => parseLabelSelector(text));
    else assert.throws(() => parseLabelSelector(text), { message });
  }
});

test('selector objects', () => {
  assert.equal(labelMatcher(undefined).matches({}), false);
  assert.equal(labelMatcher({}).matches(undefined), true);
  const selector = { matchLabels: { app: 'a' }, matchExpressions: [{ key: 't', operator: 'In', values: ['z', 'y'] }] };
  assert.equal(labelMatcher(selector).matches({ app: 'a', t: 'y' }), true);
  assert.equal(formatLabelSelector(selector), 'app=a,t in (y,z)');
  assert.equal(formatLabelSelector({}), '<none>');
  assert.throws(() => labelMatcher({ matchExpressions: [{ key: 'a', operator: 'Near' }] }), {
    message: '"Near" is not a valid label selector operator',
  });
});

test('label validation texts', () => {
  const path = FieldPath.of('spec', 'selector');
  const errors = validateLabelSelector(
    {
      matchLabels: { a: 'b c' },
      matchExpressions: [
        { key: 'k', operator: 'In', values: [] },
        { key: 'k', operator: 'X' },
      ],
    },
    path,
  );
  assert.deepEqual(errors.map(fieldErrorText), [
    `spec.selector.matchLabels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    'spec.selector.matchExpressions[1].operator: Invalid value: "X": not a valid selector operator',
  ]);
  assert.match(
    validateLabels({ 'a/b/c': 'd' }, path)[0]?.body ?? '',
    /a qualified name must consist of .*'example.com\/MyName'\)$/,
  );
});

test('field selectors', () => {
  const object: Record<string, string> = { 'metadata.name': 'a', x: 'a,b' };
  const get = (field: string): string => object[field] ?? '';
  assert.equal(parseFieldSelector('metadata.name=a').matches(get), true);
  assert.equal(parseFieldSelector('metadata.name!=a').matches(get), false);
  assert.equal(parseFieldSelector('metadata.name=a,metadata.name==b').matches(get), false);
  assert.equal(parseFieldSelector('x=a\\,b').matches(get), true);
  assert.equal(parseFieldSelector('x=a\\,b').toString(), 'x=a\\,b');
  assert.equal(parseFieldSelector('metadata.name=a').exactMatch('metadata.name'), 'a');
  assert.equal(parseFieldSelector('').isEverything, true);
  for (const text of ['metadata.name', 'metadata.name>a']) {
    assert.throws(() => parseFieldSelector(text), {
      message: `invalid selector: '${text}'; can't understand '${text}'`,
    });
  }
  assert.throws(() => parseFieldSelector('a=b\\x'), {
    message: 'invalid field selector: invalid escape sequence: \\x',
  });
});
