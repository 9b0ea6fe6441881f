import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigMap, Secret, Service } from '../api/generated/core-v1.ts';
import { containerEnv, type ReferencedData } from './env.ts';
import { expand } from './expansion.ts';
import type { PodPlace } from './field-ref.ts';
import { serviceEnv } from './service-env.ts';
import { makeContainer, makePod } from './test-fixtures.ts';

const metadata = { name: 'x', namespace: 'default', uid: 'u', resourceVersion: '1', creationTimestamp: '' };
const data: ReferencedData = {
  configMap: (name): ConfigMap | undefined => (name === 'cfg' ? { metadata, data: { A: '1', B: '2' } } : undefined),
  secret: (name): Secret | undefined =>
    name === 'sec' ? { metadata, data: { KEY: Buffer.from('geheim').toString('base64') } } : undefined,
};
const place: PodPlace = {
  nodeName: 'n1',
  hostIPs: ['192.0.2.1'],
  podIPs: ['10.42.0.5'],
  allocatable: { cpu: 2000, memory: 1 << 30, ephemeralStorage: 0 },
};

test('$(NAME) expansion follows upstream', () => {
  const lookup = (name: string): string | undefined => ({ A: '1', B: '$(A)' })[name];
  const cases: readonly (readonly [string, string])[] = [
    ['$(A)', '1'],
    ['x$(A)y$(B)', 'x1y$(A)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(MISSING)', '$(MISSING)'],
    ['$(A', '$(A'],
    ['$A', '$A'],
    ['a$', 'a$'],
    ['$$', '$'],
  ];
  for (const [input, output] of cases) assert.equal(expand(input, lookup), output, input);
});

test('sources, references and order', () => {
  const container = makeContainer('app', {
    resources: { limits: { memory: '64Mi' } },
    envFrom: [{ prefix: 'P_', configMapRef: { name: 'cfg' } }, { secretRef: { name: 'no', optional: true } }],
    env: [
      { name: 'ONE', value: '$(P_A)' },
      { name: 'TWO', value: '$(ONE)$(SVC_SERVICE_HOST)' },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 'sec', key: 'KEY' } } },
      { name: 'GONE', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'Z', optional: true } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app.kubernetes.io/name']" } } },
      { name: 'MEM', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '0' } } },
      { name: 'P_B', value: 'own' },
    ],
  });
  const pod = makePod({ metadata: { labels: { 'app.kubernetes.io/name': 'web' } }, spec: { containers: [container] } });
  const services = new Map([['SVC_SERVICE_HOST', '10.43.0.9']]);
  assert.deepEqual(Object.fromEntries(containerEnv({ pod, container, data, place, services })), {
    P_A: '1',
    P_B: 'own',
    ONE: '1',
    TWO: '110.43.0.9',
    KEY: 'geheim',
    NODE: 'n1',
    LABEL: 'web',
    MEM: '64',
    CPU: '2',
    SVC_SERVICE_HOST: '10.43.0.9',
  });
});

test('what is missing and required is a configuration error', () => {
  const cases: readonly (readonly [object, string])[] = [
    [{ envFrom: [{ configMapRef: { name: 'no' } }] }, 'configmap "no" not found'],
    [{ envFrom: [{ secretRef: { name: 'no' } }] }, 'secret "no" not found'],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'Z' } } }] },
      "couldn't find key Z in ConfigMap default/cfg",
    ],
    [
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'sec', key: 'Z' } } }] },
      "couldn't find key Z in Secret default/sec",
    ],
  ];
  for (const [parts, message] of cases) {
    const container = makeContainer('app', parts);
    const input = { pod: makePod(), container, data, place, services: new Map() };
    assert.throws(() => containerEnv(input), {
      name: 'ContainerStartError',
      reason: 'CreateContainerConfigError',
      message,
    });
  }
});

test('service variables', () => {
  const service = (name: string, namespace: string, clusterIP: string): Service => ({
    metadata: { ...metadata, name, namespace },
    spec: { clusterIP, ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }] },
    status: { loadBalancer: {} },
  });
  const all = [
    service('kubernetes', 'default', '10.43.0.1'),
    service('my-web', 'shop', '10.43.0.7'),
    service('none', 'shop', 'None'),
  ];
  assert.deepEqual(
    [...serviceEnv(all, 'shop', false).keys()].filter((key) => !key.startsWith('KUBERNETES_')),
    [],
  );
  const env = serviceEnv(all, 'shop', true);
  assert.equal(env.get('MY_WEB_SERVICE_HOST'), '10.43.0.7');
  assert.equal(env.get('MY_WEB_SERVICE_PORT_HTTP'), '80');
  assert.equal(env.get('MY_WEB_PORT'), 'tcp://10.43.0.7:80');
  assert.equal(env.get('KUBERNETES_PORT_80_TCP_ADDR'), '10.43.0.1');
  assert.equal(env.has('NONE_SERVICE_HOST'), false);
});
