import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etcdFailure } from './failure.ts';

const line = (level: string, msg: string, error?: string): string => JSON.stringify({ level, ts: 'now', msg, error });

test('what etcd died of is told from its log', () => {
  const cases: [lines: string[], kind: string, text: string][] = [
    [[], 'other', ''],
    [[line('warn', 'slow')], 'other', ''],
    [
      [
        line('panic', 'failed to open database', 'invalid database'),
        'panic: failed to open database',
        '',
        'goroutine 80',
      ],
      'damaged',
      'failed to open database: invalid database',
    ],
    [['panic: cannot use none as id', '', 'goroutine 1 [running]:'], 'damaged', 'cannot use none as id'],
    [
      [line('panic', 'tocommit(12) is out of range [lastIndex(3)]. Was the raft log corrupted, truncated, or lost?')],
      'damaged',
      'tocommit(12) is out of range [lastIndex(3)]. Was the raft log corrupted, truncated, or lost?',
    ],
    [[line('fatal', 'failed to read WAL', 'wal: crc mismatch')], 'damaged', 'failed to read WAL: wal: crc mismatch'],
    [
      [line('fatal', 'discovery failed', 'listen tcp 10.0.0.1:2380: bind: address already in use')],
      'port',
      'discovery failed: listen tcp 10.0.0.1:2380: bind: address already in use',
    ],
    [
      [
        line('error', 'the member has been permanently removed from the cluster'),
        line('fatal', 'failed to serve', 'x'),
      ],
      'removed',
      'the member has been permanently removed from the cluster',
    ],
    [
      [line('fatal', 'failed to write', 'no space left on device'), '{"level":"fat'],
      'disk-full',
      'failed to write: no space left on device',
    ],
  ];
  for (const [lines, kind, text] of cases) assert.deepEqual(etcdFailure(lines.join('\n')), { kind, text });
});
