import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsKubeconfig } from './kubectl.ts';

test('kubectl is told the cluster of this machine unless the user names one, or it needs none', () => {
  const cases: readonly [args: string, env: NodeJS.ProcessEnv, expected: boolean][] = [
    ['get pods', {}, true],
    ['get pods', { KUBECONFIG: '' }, true],
    ['get pods', { KUBECONFIG: '/mine' }, false],
    ['get pods --kubeconfig /mine', {}, false],
    ['--kubeconfig=/mine get pods', {}, false],
    ['exec web -- mine --kubeconfig /other --help', {}, true],
    ['config view', {}, true],
    ['version --client', {}, false],
    ['completion bash', {}, false],
    ['get --help', {}, false],
  ];
  for (const [args, env, expected] of cases) assert.equal(needsKubeconfig(args.split(' '), env), expected, args);
  assert.equal(needsKubeconfig([], {}), false);
});
