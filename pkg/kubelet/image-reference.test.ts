import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageNameProblem } from './image-reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

test('names of images', () => {
  for (const name of [
    'busybox',
    'busybox:1.36',
    'team/app_name:v1',
    'registry.example.com/a/b-c/d__e:1',
    'localhost/app',
    '127.0.0.1:5000/app:1',
    '[::1]:5000/app',
    `app@${DIGEST}`,
    `quay.io/team/app:1@${DIGEST}`,
    'Registry/app',
  ]) {
    assert.equal(imageNameProblem(name), undefined, name);
  }
});

test('what is no name, in the words of upstream', () => {
  const format = 'invalid reference format';
  for (const [name, problem] of [
    ['', format],
    [' busybox', format],
    ['bad name', format],
    ['a//b', format],
    ['-a', format],
    ['app:', format],
    [`app:${'t'.repeat(129)}`, format],
    ['app@sha256:12', format],
    ['https://example.com/app', format],
    ['No Such Name', `${format}: repository name (library/No Such Name) must be lowercase`],
    ['example.com/Team/app:1', `${format}: repository name (Team/app) must be lowercase`],
    ['a'.repeat(64), `invalid repository name (${'a'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
    ['a'.repeat(256), 'repository name must not be more than 255 characters'],
  ] as const) {
    assert.equal(imageNameProblem(name), problem, name);
  }
});
