import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWanted, parseTestArguments } from './test-plan.ts';

test('arguments of npm test', () => {
  assert.deepEqual(parseTestArguments([]), { paths: [], namePattern: undefined });
  assert.deepEqual(parseTestArguments(['./pkg/base/', '--name', 'clock']), {
    paths: ['pkg/base'],
    namePattern: 'clock',
  });
  assert.match(String(parseTestArguments(['--watch'])), /unknown option --watch/);
  assert.match(String(parseTestArguments(['--name'])), /needs a pattern/);
});

test('a path names a folder, a file or the beginning of one; no path wants everything', () => {
  const request = { paths: ['pkg/base', 'test/e2e/cli.test.ts'], namePattern: undefined };
  assert.ok(isWanted('pkg/base/clock.test.ts', request));
  assert.ok(isWanted('test/e2e/cli.test.ts', request));
  assert.ok(!isWanted('pkg/cri/client.test.ts', request));
  assert.ok(isWanted('pkg/cri/client.test.ts', { paths: [], namePattern: undefined }));
});
