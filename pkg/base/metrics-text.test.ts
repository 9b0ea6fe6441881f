import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricText, parseMetricsText } from './metrics-text.ts';

test('what is written is read again', () => {
  const labels = { pod: 'a"b\\c\nd', namespace: 'n' };
  const text = metricText('m_total', 'counter', 'help', [{ labels, value: 1.5, at: 1700000000123 }, { value: 2 }]);
  assert.equal(
    text,
    '# HELP m_total help\n# TYPE m_total counter\nm_total{pod="a\\"b\\\\c\\nd",namespace="n"} 1.5 1700000000123\nm_total 2\n',
  );
  assert.deepEqual(
    parseMetricsText(text, () => true),
    [
      { name: 'm_total', labels, value: 1.5, at: 1700000000123 },
      { name: 'm_total', labels: {}, value: 2, at: undefined },
    ],
  );
});

test('a metric without samples is no text; what nobody wants and what is no sample is passed over', () => {
  assert.equal(metricText('m', 'gauge', 'help', []), '');
  const text = 'a 1\nb{x="y"} 2.5e+09 7\nnonsense\n\n# a 3\n';
  assert.deepEqual(
    parseMetricsText(text, (name) => name === 'b'),
    [{ name: 'b', labels: { x: 'y' }, value: 2.5e9, at: 7 }],
  );
});
