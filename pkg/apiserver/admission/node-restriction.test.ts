import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceAccounts } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { lease } from '../../registry/coordination/lease.ts';
import { node } from '../../registry/core/node.ts';
import { pod } from '../../registry/core/pod.ts';
import { type Descriptor, describe } from '../../registry/descriptor.ts';
import { LOOPBACK_USER, nodeUser } from '../authn/user.ts';
import type { Store } from '../storage/store.ts';
import { nodeRestriction } from './node-restriction.ts';

const podOn = (nodeName: string, extra: object = {}): KubeObject =>
  ({
    metadata: { name: 'p', namespace: 'ns', uid: `uid-${nodeName}`, annotations: {}, ...extra },
    spec: { nodeName, containers: [{ name: 'c', image: 'x' }] },
    status: {},
  }) as unknown as KubeObject;
const MIRROR = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
const nodeObject = (name: string, labels: Record<string, string> = {}, taints: object[] = []): KubeObject =>
  ({ metadata: { name, labels }, spec: { taints } }) as unknown as KubeObject;

/** Pods `on-n1` and `on-n2` run where their names say. */
const store = {
  get: (_type: unknown, name: string) => ({ object: podOn(name.slice('on-'.length)) }),
} as unknown as Store;

type Write = { operation: 'CREATE' | 'UPDATE' | 'DELETE'; object: KubeObject; old?: KubeObject; subresource?: string };

async function allows(descriptor: Descriptor, write: Write, user = nodeUser('n1'), ownNode?: string): Promise<boolean> {
  const plugin = nodeRestriction(store, ownNode);
  try {
    await plugin.validate?.({
      descriptor,
      namespace: 'ns',
      user,
      dryRun: false,
      fieldManager: 'kubelet',
      warn: () => {},
      ...write,
    });
    return true;
  } catch (error) {
    assert.ok(isStatusReason(error, 'Forbidden'));
    return false;
  }
}

test('a node touches the Pods that are bound to it, and makes none but mirrors of its own', async () => {
  for (const [where, allowed] of [
    ['n1', true],
    ['n2', false],
  ] as const) {
    const one = podOn(where);
    assert.equal(await allows(pod, { operation: 'DELETE', object: one, old: one }), allowed);
    assert.equal(await allows(pod, { operation: 'UPDATE', subresource: 'status', object: one, old: one }), allowed);
    assert.equal(await allows(pod, { operation: 'CREATE', object: podOn(where, MIRROR) }), allowed);
  }
  const own = podOn('n1');
  assert.equal(await allows(pod, { operation: 'UPDATE', object: own, old: own }), false);
  assert.equal(await allows(pod, { operation: 'CREATE', object: own }), false);
  const relabelled = podOn('n1', { labels: { app: 'web' } });
  assert.equal(await allows(pod, { operation: 'UPDATE', subresource: 'status', object: relabelled, old: own }), false);
  const reading = podOn('n1', MIRROR) as unknown as { spec: object };
  reading.spec = { ...reading.spec, volumes: [{ name: 's', secret: { secretName: 'admin' } }] };
  assert.equal(await allows(pod, { operation: 'CREATE', object: reading as unknown as KubeObject }), false);
  assert.equal(await allows(pod, { operation: 'DELETE', object: podOn('n2'), old: podOn('n2') }, LOOPBACK_USER), true);
});

test('a node writes its own Node only, without taints and labels others rely on', async () => {
  const plain = nodeObject('n1', { a: 'b', 'kubernetes.io/hostname': 'n1' });
  assert.equal(await allows(node, { operation: 'CREATE', object: plain }), true);
  assert.equal(await allows(node, { operation: 'CREATE', object: nodeObject('n2') }), false);
  const old = nodeObject('n1');
  const update = (object: KubeObject, ownNode?: string): Promise<boolean> =>
    allows(node, { operation: 'UPDATE', object, old }, nodeUser('n1'), ownNode);
  assert.equal(await update(plain), true);
  assert.equal(await update(nodeObject('n1', { 'node.kubernetes.io/x': 'y' })), true);
  assert.equal(await update(nodeObject('n1', { 'node-restriction.kubernetes.io/x': 'y' })), false);
  assert.equal(await update(nodeObject('n1', { 'node-role.kubernetes.io/control-plane': 'true' })), false);
  assert.equal(await update(nodeObject('n1', { 'node-role.kubernetes.io/control-plane': 'true' }), 'n1'), true);
  assert.equal(await update(nodeObject('n1', {}, [{ key: 'k', effect: 'NoSchedule' }])), false);
  const leaseOf = (name: string): KubeObject => ({ metadata: { name, namespace: 'kube-node-lease' } }) as KubeObject;
  assert.equal(await allows(lease, { operation: 'CREATE', object: leaseOf('n1') }), true);
  assert.equal(await allows(lease, { operation: 'CREATE', object: leaseOf('n2') }), false);
});

test('a node evicts its own Pods, and gets tokens bound to them only', () => {
  const plugin = nodeRestriction(store, undefined);
  const allowed = (descriptor: Descriptor, subresource: string, name: string, body: object): boolean => {
    const user = nodeUser('n1');
    try {
      plugin.admitAction?.({ descriptor, namespace: 'ns', name, subresource, body: body as never, user });
      return true;
    } catch (error) {
      assert.ok(isStatusReason(error, 'Forbidden'));
      return false;
    }
  };
  assert.equal(allowed(pod, 'eviction', 'on-n1', {}), true);
  assert.equal(allowed(pod, 'eviction', 'on-n2', {}), false);
  const token = (reference?: object): boolean =>
    allowed(describe(serviceAccounts, {}), 'token', 'bot', { spec: { boundObjectRef: reference } });
  const bound = { kind: 'Pod', apiVersion: 'v1' };
  assert.equal(token({ ...bound, name: 'on-n1', uid: 'uid-n1' }), true);
  assert.equal(token({ ...bound, name: 'on-n2', uid: 'uid-n2' }), false);
  assert.equal(token({ ...bound, name: 'on-n1', uid: 'uid-n2' }), false);
  assert.equal(token({ ...bound, name: 'on-n1' }), false);
  assert.equal(token({ kind: 'Secret', apiVersion: 'v1', name: 's', uid: 'u' }), false);
  assert.equal(token(), false);
});
