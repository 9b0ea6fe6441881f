import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deepEqual, semanticEqual } from './deep-equal.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { fnv32a, objectHash, stableStringify } from './hash.ts';
import { scaledValue } from './int-or-string.ts';
import { isDns1123Label, isPathSegmentName, isPortName, nameIsDnsLabel } from './names.ts';
import { canonicalQuantity, parseQuantity, Quantity } from './quantity.ts';
import { generateName } from './random-name.ts';
import { canonicalMicroTime, canonicalTime, formatMicroTime, formatTime, parseTime, timeErrorText } from './time.ts';

test('quantities: canonical text', () => {
  const table: [string | number, string][] = [
    ['0', '0'],
    ['0Mi', '0'],
    ['100m', '100m'],
    ['0.5', '500m'],
    ['0.1', '100m'],
    ['1500m', '1500m'],
    ['2000m', '2'],
    ['1000', '1k'],
    ['1024', '1024'],
    ['1.5Gi', '1536Mi'],
    ['1024Mi', '1Gi'],
    ['1000Ki', '1000Ki'],
    ['0.5Mi', '512Ki'],
    ['0.5Ki', '512'],
    ['0.3Ki', '307200m'],
    ['1e3', '1e3'],
    ['12e1', '120'],
    ['1.5e3', '1500'],
    ['1000000', '1M'],
    ['1100M', '1100M'],
    ['-5', '-5'],
    ['0.0000000001', '1n'],
    ['16Ei', '9223372036854775807'],
    [2, '2'],
    [0.25, '250m'],
    [' 1Gi ', '1Gi'],
  ];
  for (const [text, canonical] of table) assert.equal(canonicalQuantity(text), canonical, String(text));
});

test('quantities: errors and arithmetic', () => {
  assert.throws(() => parseQuantity('abc'), /quantities must match the regular expression/);
  assert.throws(() => parseQuantity(''), /quantities must match/);
  assert.throws(() => parseQuantity('1Kib'), /quantities must match/);
  assert.throws(() => parseQuantity('1mm'), { message: "unable to parse quantity's suffix" });
  assert.equal(String(parseQuantity('500m').add(parseQuantity('1500m'))), '2');
  assert.equal(String(parseQuantity('1Gi').sub(parseQuantity('512Mi'))), '512Mi');
  assert.equal(String(new Quantity(0n).add(parseQuantity('1Ki')).add(parseQuantity('1Ki'))), '2Ki');
  assert.equal(parseQuantity('1Gi').value(), 2 ** 30);
  assert.equal(parseQuantity('1.0001').milliValue(), 1001);
  assert.equal(parseQuantity('1').compare(parseQuantity('1000m')), 0);
  assert.equal(parseQuantity('-1500m').value(), -2);
});

test('int or string', () => {
  assert.equal(scaledValue('25%', 10, true), 3);
  assert.equal(scaledValue('25%', 10, false), 2);
  assert.equal(scaledValue(4, 10, false), 4);
  assert.throws(() => scaledValue('4', 10, false), /string is not a percentage/);
});

test('times', () => {
  const ms = Date.parse('2026-01-02T03:04:05.678Z');
  assert.equal(formatTime(ms), '2026-01-02T03:04:05Z');
  assert.equal(formatMicroTime(ms + 0.009), '2026-01-02T03:04:05.678009Z');
  assert.equal(canonicalTime('2026-01-02T03:04:05.9+02:00'), '2026-01-02T01:04:05Z');
  assert.equal(canonicalTime('2026-02-30T00:00:00Z'), undefined);
  assert.equal(canonicalMicroTime('2026-01-02T03:04:05.000001+01:00'), '2026-01-02T02:04:05.000001Z');
  assert.equal(canonicalMicroTime('2026-01-02T03:04:05Z'), undefined);
  assert.equal(parseTime('yesterday'), undefined);
});

test("what is wrong with a time, in Go's words", () => {
  const table: [string, boolean, string][] = [
    ['now', false, 'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"'],
    [
      '2020-01-02T03:04:06Z',
      true,
      'parsing time "2020-01-02T03:04:06Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    ],
    ['2020-13-02T03:04:06Z', false, 'parsing time "2020-13-02T03:04:06Z": month out of range'],
    ['2020-02-30T03:04:06Z', false, 'parsing time "2020-02-30T03:04:06Z": day out of range'],
    ['2020-02-01T03:04:06Zx', false, 'parsing time "2020-02-01T03:04:06Zx": extra text: "x"'],
  ];
  for (const [text, micro, message] of table) assert.equal(timeErrorText(text, micro), message);
});

test('durations', () => {
  const table: [string, number, string][] = [
    ['1h30m', 5_400_000, '1h30m0s'],
    ['90s', 90_000, '1m30s'],
    ['1.5s', 1500, '1.5s'],
    ['250ms', 250, '250ms'],
    ['-2m', -120_000, '-2m0s'],
    ['0', 0, '0s'],
    ['1us', 0.001, '1µs'],
  ];
  for (const [text, ms, canonical] of table) {
    assert.equal(parseDuration(text), ms, text);
    assert.equal(formatDuration(ms), canonical);
  }
  for (const text of ['', '5', 's', '1d']) assert.equal(parseDuration(text), undefined, text);
});

test('names', () => {
  assert.deepEqual(isDns1123Label('a.b'), ['must not contain dots']);
  assert.deepEqual(isDns1123Label('x'.repeat(64)), ['must be no more than 63 characters']);
  assert.deepEqual(nameIsDnsLabel('my-', true), []);
  assert.notDeepEqual(nameIsDnsLabel('my-', false), []);
  assert.deepEqual(isPathSegmentName('a%b'), ["may not contain '%'"]);
  assert.deepEqual(isPathSegmentName('..'), ["may not be '..'"]);
  assert.deepEqual(isPortName('http'), []);
  const name = generateName('x'.repeat(80), () => 0.999);
  assert.equal(name, `${'x'.repeat(58)}99999`);
});

test('hashes are stable and use the safe alphabet', () => {
  assert.equal(fnv32a('foobar'), 0xbf9cf968);
  assert.equal(stableStringify({ b: 1, a: [undefined, { d: undefined }] }), '{"a":[null,{}],"b":1}');
  assert.equal(objectHash({ a: 1, b: 2 }), objectHash({ b: 2, a: 1 }));
  assert.notEqual(objectHash({ a: 1 }), objectHash({ a: 1 }, 1));
  assert.match(objectHash({}), /^[bcdfghjklmnpqrstvwxz2456789]+$/);
});

test('equality', () => {
  assert.equal(deepEqual({ a: 1, b: undefined }, { a: 1 }), true);
  assert.equal(deepEqual({ a: [] }, {}), false);
  assert.equal(semanticEqual({ a: [], b: null }, {}), true);
  assert.equal(semanticEqual({ a: {} }, {}), false);
  assert.equal(deepEqual([1, { a: 2 }], [1, { a: 2 }]), true);
  assert.equal(deepEqual({ a: [1] }, { a: { 0: 1 } }), false);
});
