import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figureTable, percentiles, readSections, writeSections } from './benchmark.ts';

test('percentiles are values that were measured', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.deepEqual(percentiles(values), { p50: 100, p99: 198 });
  assert.deepEqual(percentiles([7]), { p50: 7, p99: 7 });
});

test('the table is padded Markdown', () => {
  assert.equal(
    figureTable([
      { what: 'size', measured: '120 MB' },
      { what: 'start', measured: '2 s', target: '≤ 4 s' },
    ]),
    [
      '| figure | measured | target |',
      '| ------ | -------- | ------ |',
      '| size   | 120 MB   |        |',
      '| start  | 2 s      | ≤ 4 s  |',
    ].join('\n'),
  );
});

test('a run of some benchmarks replaces their sections', () => {
  const page = writeSections(
    '# All',
    ['a', 'b', 'c'],
    new Map([
      ['a', 'one'],
      ['b', 'two\n\nthree'],
      ['gone', 'x'],
    ]),
  );
  assert.equal(page, '# All\n\n## a\n\none\n\n## b\n\ntwo\n\nthree\n');
  const known = readSections(page);
  assert.deepEqual(
    [...known],
    [
      ['a', 'one'],
      ['b', 'two\n\nthree'],
    ],
  );
  const next = writeSections('# All', ['a', 'b', 'c'], new Map([...known, ['c', 'four'], ['a', 'five']]));
  assert.equal(next, '# All\n\n## a\n\nfive\n\n## b\n\ntwo\n\nthree\n\n## c\n\nfour\n');
});
