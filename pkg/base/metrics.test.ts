import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Histogram } from './metrics.ts';

test('a counter counts for each set of labels', () => {
  const counter = new Counter('requests_total', 'Requests.');
  assert.equal(counter.text(), '');
  counter.inc({ verb: 'GET', code: '200' });
  counter.inc({ verb: 'GET', code: '200' });
  counter.inc({ verb: 'LIST', code: '200' });
  assert.equal(
    counter.text(),
    '# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{verb="GET",code="200"} 2\nrequests_total{verb="LIST",code="200"} 1\n',
  );
});

test('a histogram adds up from bucket to bucket', () => {
  const histogram = new Histogram('seconds', 'Time.', [0.1, 1]);
  for (const value of [0.05, 0.5, 0.75, 9]) histogram.observe({ verb: 'GET' }, value);
  assert.equal(
    histogram.text(),
    [
      '# HELP seconds Time.',
      '# TYPE seconds histogram',
      'seconds_bucket{verb="GET",le="0.1"} 1',
      'seconds_bucket{verb="GET",le="1"} 3',
      'seconds_bucket{verb="GET",le="+Inf"} 4',
      'seconds_sum{verb="GET"} 10.3',
      'seconds_count{verb="GET"} 4',
      '',
    ].join('\n'),
  );
});
