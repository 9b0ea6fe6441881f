import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '../../api/generated/core-v1.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { warnOfCIDR, warnOfIP } from '../validation/ip-warnings.ts';
import { podNameWarning, podWarnings } from './pod-warnings.ts';

const warnings = (spec: object, annotations: Record<string, string> = {}): string[] => [
  ...podWarnings({ containers: [{ name: 'c', image: 'i' }], ...spec } as PodSpec, { annotations } as never),
];

test('what a Pod has no use for is told with its place', () => {
  assert.deepEqual(warnings({}), []);
  assert.deepEqual(
    warnings({
      nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
      terminationGracePeriodSeconds: -1,
      topologySpreadConstraints: [{ topologyKey: 'z', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }],
      imagePullSecrets: [{ name: 'a' }, { name: 'a' }, {}],
    }),
    [
      'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
      'spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod',
      'spec.imagePullSecrets[1].name: duplicate name "a"',
      'spec.imagePullSecrets[2].name: invalid empty name ""',
      'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
    ],
  );
});

test('variables that hide others, ports that meet, parts of bytes', () => {
  const container = {
    name: 'c',
    image: 'i',
    env: [
      { name: 'A', value: '1' },
      { name: 'A', value: '$(A)2' },
      { name: 'A', value: '3' },
    ],
    ports: [
      { containerPort: 80, protocol: 'TCP' },
      { containerPort: 80, protocol: 'TCP' },
      { containerPort: 80, protocol: 'UDP' },
    ],
    resources: { limits: { memory: '100m' } },
  };
  assert.deepEqual(warnings({ containers: [container] }), [
    'spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer',
    'spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply',
    'spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]',
  ]);
});

test('files of a volume that hide one another', () => {
  const items = [
    { key: 'a', path: 'dir' },
    { key: 'b', path: 'dir/b' },
    { key: 'c', path: 'other' },
  ];
  assert.deepEqual(warnings({ volumes: [{ name: 'v', configMap: { name: 'm', items } }] }), [
    'volume "v" (ConfigMap "m"): overlapping paths: "dir/b" with "dir"',
  ]);
});

test('names that are no host names, addresses in old forms', () => {
  assert.deepEqual([...podNameWarning('plain')], []);
  assert.match(
    [...podNameWarning('a.b')].join(),
    /^metadata\.name: this is used in Pod names and hostnames, .*: \[must not contain dots\]$/,
  );
  const path = FieldPath.of('ip');
  assert.deepEqual([...warnOfIP(path, '10.0.0.1')], []);
  assert.match([...warnOfIP(path, '010.0.0.1')].join(), /use "10\.0\.0\.1"$/);
  assert.match([...warnOfIP(path, 'FD00::1')].join(), /canonical format \("fd00::1"\)$/);
  assert.match([...warnOfCIDR(path, '10.0.0.1/8')].join(), /should be "10\.0\.0\.0\/8" or "10\.0\.0\.1\/32"\?\)$/);
});
