import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { PersistentVolume, Pod } from '../../api/generated/core-v1.ts';
import { nodeUser } from '../authn/user.ts';
import type { ResourceAttributes } from './attributes.ts';
import { FakeSource } from './change-source.fake.ts';
import { NodeAuthorizer } from './node.ts';
import { NodeGraph } from './node-graph.ts';
import { NODE_RULES } from './policy-cluster-roles.ts';

let pods: FakeSource<Pod>;
let persistentVolumes: FakeSource<PersistentVolume>;
let authorizer: NodeAuthorizer;

const spec = {
  nodeName: 'n1',
  serviceAccountName: 'bot',
  imagePullSecrets: [{ name: 'pull' }],
  initContainers: [{ name: 'i', envFrom: [{ configMapRef: { name: 'init-env' } }] }],
  containers: [{ name: 'c', env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } }] }],
  volumes: [
    { name: 'v', projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'cm' } }] } },
    { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
    { name: 'scratch', ephemeral: {} },
  ],
};

/** `verb [group/]resource[/subresource] [name]` in the namespace `ns`, by the kubelet of `n1`. */
function ask(text: string, change: Partial<ResourceAttributes> = {}): boolean {
  const [verb = '', target = '', name = ''] = text.split(' ');
  const [apiGroup = '', resource = '', subresource = ''] = target.split('/');
  const attributes = { user: nodeUser('n1'), verb, apiGroup, resource, subresource, namespace: 'ns', name, ...change };
  return authorizer.authorize(attributes).decision === 'allow';
}

beforeEach(() => {
  pods = new FakeSource();
  persistentVolumes = new FakeSource();
  authorizer = new NodeAuthorizer(new NodeGraph({ pods, persistentVolumes }), NODE_RULES);
  pods.set({ metadata: { name: 'p', namespace: 'ns' }, spec });
  persistentVolumes.set({
    metadata: { name: 'pv' },
    spec: {
      claimRef: { namespace: 'ns', name: 'data' },
      csi: { nodePublishSecretRef: { name: 'csi', namespace: 'storage' } },
    },
  });
});

test('a node reads what its Pods refer to and nothing else of that kind', () => {
  for (const name of ['pull', 'env', 'projected']) assert.ok(ask(`get /secrets ${name}`), name);
  for (const name of ['init-env', 'cm']) assert.ok(ask(`watch /configmaps ${name}`), name);
  for (const name of ['data', 'p-scratch']) assert.ok(ask(`get /persistentvolumeclaims ${name}`), name);
  assert.ok(ask('get /persistentvolumes pv', { namespace: '' }));
  assert.ok(ask('get /secrets csi', { namespace: 'storage' }));
  assert.ok(ask('create /serviceaccounts/token bot'));
  assert.ok(ask('get /serviceaccounts bot'));

  assert.ok(!ask('get /secrets other'));
  assert.ok(!ask('get /secrets env', { namespace: 'default' }));
  assert.ok(!ask('list /secrets'));
  assert.ok(!ask('update /secrets env'));
  assert.ok(!ask('create /serviceaccounts/token default'));
  assert.ok(!ask('get /persistentvolumes other', { namespace: '' }));
  assert.ok(!ask('get /secrets env', { user: nodeUser('n2') }));
  assert.ok(!ask('get /secrets env', { user: { name: 'system:node:n1', groups: [] } }), 'the group is needed as well');
});

test('the right ends with the Pod, or begins with its binding', () => {
  pods.set({ metadata: { name: 'q', namespace: 'ns' }, spec: { ...spec, nodeName: undefined } });
  pods.remove('p', 'ns');
  assert.ok(!ask('get /secrets env'));
  pods.set({ metadata: { name: 'q', namespace: 'ns' }, spec });
  assert.ok(ask('get /secrets env'));
  pods.set({ metadata: { name: 'r', namespace: 'ns' }, spec });
  pods.remove('q', 'ns');
  assert.ok(ask('get /secrets env'), 'another Pod refers to it');
  pods.remove('r', 'ns');
  assert.ok(!ask('get /secrets env'));
});

test('a static Pod gives its node no rights', () => {
  pods.remove('p', 'ns');
  pods.set({ metadata: { name: 'm', namespace: 'ns', annotations: { 'kubernetes.io/config.mirror': 'x' } }, spec });
  assert.ok(!ask('get /secrets env'));
  assert.ok(ask('get /pods m'));
});

test('nodes, pods, leases: its own only', () => {
  const cluster = { namespace: '' };
  const own = (field: string) => [{ field, operator: '=', value: 'n1' }] as const;
  assert.ok(ask('get /nodes n1', cluster));
  assert.ok(!ask('get /nodes n2', cluster));
  assert.ok(!ask('list /nodes', cluster));
  assert.ok(ask('watch /nodes', { ...cluster, fieldSelector: own('metadata.name') }));
  assert.ok(ask('create /nodes', cluster));
  assert.ok(ask('patch /nodes/status n1', cluster));
  assert.ok(!ask('delete /nodes n1', cluster));

  assert.ok(ask('list /pods', { ...cluster, fieldSelector: own('spec.nodeName') }));
  assert.ok(!ask('list /pods', cluster));
  assert.ok(ask('get /pods p'));
  assert.ok(!ask('get /pods other'));
  assert.ok(ask('patch /pods/status p'));

  const lease = { namespace: 'kube-node-lease' };
  assert.ok(ask('update coordination.k8s.io/leases n1', lease));
  assert.ok(ask('create coordination.k8s.io/leases', lease));
  assert.ok(!ask('update coordination.k8s.io/leases n2', lease));
  assert.ok(!ask('update coordination.k8s.io/leases n1', { namespace: 'kube-system' }));
  assert.ok(ask('list /services', cluster));
  assert.ok(!ask('list apps/deployments', cluster));
});
