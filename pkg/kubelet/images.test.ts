import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import type { ImageService } from '../cri/services.ts';
import { GrpcError } from '../grpc/error.ts';
import { ImageManager } from './images.ts';
import { makeContainer, makePod } from './test-fixtures.ts';

function world() {
  const clock = new FakeClock();
  const present = new Set<string>();
  const calls: string[] = [];
  let answer: (image: string) => Promise<void> = () => Promise.resolve();
  const unused = (): never => assert.fail('not part of this test');
  const images: ImageService = {
    imageStatus: ({ image }) => {
      const id = image?.image ?? '';
      const found = { id, repoTags: [], repoDigests: [], size: 7, username: '', pinned: false };
      return Promise.resolve({ info: {}, ...(present.has(id) ? { image: found } : {}) });
    },
    pullImage: async ({ image }, options) => {
      const name = image?.image ?? '';
      calls.push(name);
      const broken = new Promise<never>((_, reject) => {
        options?.signal?.addEventListener('abort', () => reject(new GrpcError('CANCELLED', 'PullImage', 'cancelled')));
      });
      await Promise.race([answer(name), broken]);
      present.add(name);
      return { imageRef: name };
    },
    listImages: unused,
    removeImage: unused,
    imageFsInfo: unused,
  };
  const manager = new ImageManager({ images, clock });
  const told: string[] = [];
  const ensure = (image: string, imagePullPolicy?: string, signal = new AbortController().signal) =>
    manager
      .ensure({
        pod: makePod(),
        container: makeContainer('app', { image, imagePullPolicy }),
        pullSecrets: [],
        sandboxConfig: {},
        signal,
        tell: (_type, reason, message) => told.push(`${reason} ${message}`),
      })
      .then(
        () => 'ok',
        (error: { reason: string }) => error.reason,
      );
  const answerWith = (next: typeof answer): void => {
    answer = next;
  };
  return { clock, present, calls, told, ensure, answerWith };
}

test('pull policies', async () => {
  const w = world();
  const pinned = `away@sha256:${'0'.repeat(64)}`;
  w.present.add('here:1');
  assert.deepEqual([await w.ensure('here:1'), w.calls], ['ok', []]);
  assert.equal(await w.ensure('here:1', 'Never'), 'ok');
  assert.equal(await w.ensure('away:1', 'Never'), 'ErrImageNeverPull');
  assert.equal(await w.ensure('here:1', 'Always'), 'ok');
  assert.equal(await w.ensure('moving'), 'ok');
  assert.equal(await w.ensure('moving:latest'), 'ok');
  assert.equal(await w.ensure(pinned), 'ok');
  assert.equal(await w.ensure('Not A Name'), 'InvalidImageName');
  assert.deepEqual(w.calls, ['here:1', 'moving', 'moving:latest', pinned]);
  assert.equal(w.told[0], 'Pulled Container image "here:1" already present on machine and can be accessed by the pod');
});

test('failed pulls back off for 10, 20, 40 seconds', async () => {
  const w = world();
  w.answerWith(() => Promise.reject(new GrpcError('UNKNOWN', 'PullImage', 'no such host')));
  for (const seconds of [10, 20, 40]) {
    assert.equal(await w.ensure('a:1'), 'ErrImagePull');
    await w.clock.advance(seconds * 1000 - 1);
    assert.equal(await w.ensure('a:1'), 'ImagePullBackOff');
    await w.clock.advance(1);
  }
  w.answerWith(() => Promise.resolve());
  assert.equal(await w.ensure('a:1'), 'ok');
  assert.deepEqual([...new Set(w.told)].slice(0, 3), [
    'Pulling Pulling image "a:1"',
    'Failed Failed to pull image "a:1": no such host',
    'BackOff Back-off pulling image "a:1"',
  ]);
});

test('pulls of one image go one after another, a slow one holds up no other, and a Pod that ends does not wait', async () => {
  const w = world();
  const slow = Promise.withResolvers<void>();
  w.answerWith((image) => (image === 'slow:1' ? slow.promise : Promise.resolve()));
  const ending = new AbortController();
  const first = w.ensure('slow:1', 'Always');
  const second = w.ensure('slow:1', 'Always', ending.signal);
  assert.equal(await w.ensure('quick:1'), 'ok');
  assert.deepEqual(w.calls, ['slow:1', 'quick:1']);
  ending.abort();
  assert.equal(await second, 'ErrImagePull');
  slow.resolve();
  assert.equal(await first, 'ok');
});
