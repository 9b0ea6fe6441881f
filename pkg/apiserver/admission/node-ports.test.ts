import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service, ServicePort, ServiceSpec } from '../../api/generated/core-v1.ts';
import { giveHealthCheckPort, giveNodePorts, PortAllocation, updateNodePorts } from './node-ports.ts';

const RANGE = { nodePorts: { first: 30_000, last: 30_031 }, random: () => 0 };
/** The first port of the part that is not left to choices by hand. */
const FIRST = 30_016;

/** A spec whose ports are told in short. */
type Spec = Omit<ServiceSpec, 'ports'> & { readonly ports?: readonly Partial<ServicePort>[] };

const service = (spec: Spec): Service => ({ metadata: { name: 's' }, spec }) as Service;
const nodePortsOf = ({ spec }: Service): (number | undefined)[] => (spec.ports ?? []).map(({ nodePort }) => nodePort);

function given(spec: Spec, taken: readonly number[] = [], dryRun = false): (number | undefined)[] {
  const fresh = service(spec);
  giveNodePorts(fresh, new PortAllocation(RANGE, new Set(taken), dryRun));
  return nodePortsOf(fresh);
}

test('ports of one number share a port of nodes, whatever their protocols', () => {
  const ports = [
    { port: 53, protocol: 'TCP' },
    { port: 53, protocol: 'UDP' },
    { port: 80, protocol: 'TCP' },
  ];
  assert.deepEqual(given({ type: 'NodePort', ports }), [FIRST, FIRST, FIRST + 1]);
  assert.deepEqual(
    given({ type: 'NodePort', ports: [{ port: 53 }, { port: 53, nodePort: 30_001 }] }),
    [30_001, 30_001],
  );
});

test('a load balancer may do without, but for ports it asks for', () => {
  const ports = [{ port: 80 }, { port: 81, nodePort: 30_001 }];
  assert.deepEqual(given({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports }), [undefined, 30_001]);
});

test('the part left to choices by hand comes last', () => {
  const upper = Array.from({ length: 16 }, (_, index) => FIRST + index);
  assert.deepEqual(given({ type: 'NodePort', ports: [{ port: 80 }] }, upper), [30_000]);
  const all = Array.from({ length: 32 }, (_, index) => 30_000 + index);
  assert.throws(() => given({ type: 'NodePort', ports: [{ port: 80 }] }, all), /failed to allocate a nodePort/);
});

test('who only tries is shown ports that nobody has', () => {
  assert.deepEqual(given({ type: 'NodePort', ports: [{ port: 80 }, { port: 81 }] }, [], true), [32_769, 32_770]);
});

test('what cannot be given is told', () => {
  const asking = (nodePort: number): Spec => ({ type: 'NodePort', ports: [{ port: 80, nodePort }] });
  assert.throws(() => given(asking(80)), /The range of valid ports is 30000-30031/);
  assert.throws(
    () => given(asking(30_001), [30_001]),
    /spec.ports\[0\].nodePort: .*: provided port is already allocated/,
  );
  const local = service({ type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30_001 });
  assert.throws(
    () => giveHealthCheckPort(local, new PortAllocation(RANGE, new Set([30_001]), false)),
    /failed to allocate requested HealthCheck NodePort 30001: provided port is already allocated/,
  );
});

test('an update keeps what the Service has', () => {
  const old = service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_001 }] });
  const changed = service({ type: 'NodePort', ports: [{ port: 81, nodePort: 30_001 }, { port: 82 }] });
  updateNodePorts(changed, old, new PortAllocation(RANGE, new Set(), false));
  assert.deepEqual(nodePortsOf(changed), [30_001, FIRST]);
});
