import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLatestImage } from './image-tag.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

const CASES: Readonly<Record<string, boolean>> = {
  busybox: true,
  'busybox:latest': true,
  'busybox:1': false,
  'registry:5000/a/b': true,
  'registry:5000/a/b:1': false,
  'Registry/a': true,
  [`busybox@${DIGEST}`]: false,
  [`busybox:latest@${DIGEST}`]: true,
  // No names of images.
  '': false,
  Busybox: false,
  'a//b': false,
};

for (const [image, expected] of Object.entries(CASES)) {
  test(`${image || 'nothing'} is ${expected ? '' : 'not '}the latest`, () => {
    assert.equal(isLatestImage(image), expected);
  });
}
