import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import type { Input } from '../../api/types.ts';
import { endpointSubsets } from './endpoints.ts';
import { planSlices } from './slices.ts';

const uid = '6fbc7a6e-0000-4000-8000-000000000001';

function service(spec: Input<Service['spec']> = {}, labels: Record<string, string> = {}): Service {
  return {
    metadata: { name: 's', namespace: 'n', uid, labels },
    spec: {
      selector: { app: 'e' },
      ipFamilies: ['IPv4'],
      ports: [{ name: 'http', port: 80, targetPort: 8080 }],
      ...spec,
    },
  } as unknown as Service;
}

function pod(index: number, more: { ready?: boolean; deleted?: boolean; spec?: object; ips?: string[] } = {}): Pod {
  const { ready = true, deleted = false, spec = {}, ips = [`10.0.${index >> 8}.${index & 255}`] } = more;
  return {
    metadata: { name: `p${index}`, namespace: 'n', uid: `u${index}`, ...(deleted && { deletionTimestamp: 'x' }) },
    spec: { nodeName: 'node', containers: [], ...spec },
    status: {
      phase: 'Running',
      podIP: ips[0],
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  } as unknown as Pod;
}

const range = (from: number, to: number): Pod[] => Array.from({ length: to - from }, (_, index) => pod(from + index));

/** Applies plans as the API would. */
class World {
  slices: EndpointSlice[] = [];
  #serial = 0;

  plan(subject: Service, pods: readonly Pod[]) {
    const plan = planSlices({ service: subject, pods, nodeOf: () => undefined, existing: this.slices });
    const gone = new Set(plan.remove.map(({ metadata }) => metadata.name));
    this.slices = this.slices.filter(({ metadata }) => !gone.has(metadata.name));
    for (const slice of plan.update) {
      this.slices = this.slices.map((old) =>
        old.metadata.name === slice.metadata?.name ? (slice as EndpointSlice) : old,
      );
    }
    for (const slice of plan.create) {
      const metadata = { ...slice.metadata, name: `s-${this.#serial++}` };
      this.slices.push({ ...slice, metadata } as unknown as EndpointSlice);
    }
    return [plan.create.length, plan.update.length, plan.remove.length];
  }

  sizes(): number[] {
    return this.slices.map(({ endpoints }) => endpoints?.length ?? 0).sort((a, b) => b - a);
  }
}

test('a Service without Pods has one empty slice, which the first Pod fills', () => {
  const world = new World();
  assert.deepEqual(world.plan(service({}, { team: 'x' }), []), [1, 0, 0]);
  const [slice] = world.slices;
  assert.deepEqual(slice?.metadata.labels, {
    team: 'x',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': 's',
  });
  assert.deepEqual([slice?.endpoints, slice?.ports], [undefined, undefined]);
  assert.deepEqual(world.plan(service({}, { team: 'x' }), []), [0, 0, 0]);
  assert.deepEqual(world.plan(service({}, { team: 'x' }), [pod(1)]), [0, 1, 0]);
  assert.deepEqual(world.slices[0]?.endpoints, [
    {
      addresses: ['10.0.0.1'],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'n', name: 'p1', uid: 'u1' },
      nodeName: 'node',
    },
  ]);
  assert.deepEqual(world.slices[0]?.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
});

test('at most a hundred endpoints a slice, and few slices touched', () => {
  const world = new World();
  assert.deepEqual(world.plan(service(), range(0, 250)), [3, 0, 0]);
  assert.deepEqual(world.sizes(), [100, 100, 50]);
  assert.deepEqual(world.plan(service(), range(0, 250)), [0, 0, 0]);
  assert.deepEqual(world.plan(service(), [...range(0, 249), pod(249, { ready: false })]), [0, 1, 0]);
  assert.deepEqual(world.plan(service(), range(0, 250)), [0, 1, 0]);
  assert.deepEqual(world.plan(service(), range(10, 260)), [0, 1, 0], 'what goes makes room for what comes');
  assert.deepEqual(world.plan(service(), range(10, 300)), [0, 1, 0]);
  assert.deepEqual(world.plan(service(), range(10, 320)), [1, 0, 0]);
  assert.deepEqual(world.plan(service(), range(10, 12)), [0, 1, 3]);
});

test('the last endpoint goes: its slice becomes the empty one', () => {
  const world = new World();
  world.plan(service(), [pod(1)]);
  assert.deepEqual(world.plan(service(), []), [0, 1, 0]);
  assert.deepEqual([world.slices[0]?.endpoints, world.slices[0]?.ports], [undefined, undefined]);
});

test('conditions', () => {
  const of = (subject: Service, one: Pod) => {
    const world = new World();
    world.plan(subject, [one]);
    const { ready, serving, terminating } = world.slices[0]?.endpoints?.[0]?.conditions ?? {};
    return [ready, serving, terminating];
  };
  assert.deepEqual(of(service(), pod(1, { ready: false })), [false, false, false]);
  assert.deepEqual(of(service(), pod(1, { deleted: true })), [false, true, true]);
  assert.deepEqual(of(service({ publishNotReadyAddresses: true }), pod(1, { ready: false })), [true, false, false]);
});

test('ports by name differ by Pod: a slice for each', () => {
  const named = (containerPort: number) => ({ containers: [{ name: 'c', ports: [{ name: 'web', containerPort }] }] });
  const subject = service({ ports: [{ name: 'http', port: 80, targetPort: 'web' }] });
  const world = new World();
  world.plan(subject, [pod(1, { spec: named(8080) }), pod(2, { spec: named(9090) }), pod(3)]);
  assert.deepEqual(world.slices.map(({ ports }) => ports?.[0]?.port).sort(), [8080, 9090]);
});

test('both families, headless with host names, no ports', () => {
  const world = new World();
  const spec = { hostname: 'web-0', subdomain: 's' };
  const subject = service({ clusterIP: 'None', ipFamilies: ['IPv4', 'IPv6'], ports: [] });
  world.plan(subject, [pod(1, { spec, ips: ['10.0.0.1', 'fd00::1'] })]);
  assert.deepEqual(
    world.slices.map(({ addressType, endpoints }) => [
      addressType,
      endpoints?.[0]?.addresses[0],
      endpoints?.[0]?.hostname,
    ]),
    [
      ['IPv4', '10.0.0.1', 'web-0'],
      ['IPv6', 'fd00::1', 'web-0'],
    ],
  );
  assert.equal(world.slices[0]?.metadata.labels?.['service.kubernetes.io/headless'], '');
});

test('Endpoints: ready and not ready apart, terminating Pods gone, ports grouped', () => {
  const pods = [pod(1), pod(2, { ready: false }), pod(3, { deleted: true })];
  const address = (index: number) => ({
    ip: `10.0.0.${index}`,
    nodeName: 'node',
    targetRef: { kind: 'Pod', namespace: 'n', name: `p${index}`, uid: `u${index}` },
  });
  const ports = [{ name: 'http', port: 8080, protocol: 'TCP' }];
  assert.deepEqual(endpointSubsets(service(), pods), [
    { addresses: [address(1)], notReadyAddresses: [address(2)], ports },
  ]);
  assert.deepEqual(endpointSubsets(service({ publishNotReadyAddresses: true }), pods.slice(0, 2)), [
    { addresses: [address(1), address(2)], ports },
  ]);
});
