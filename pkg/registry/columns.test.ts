import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableOf } from '../apiserver/http/representation.ts';
import { builtinDescriptors } from './builtin.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');

/** The cells of an object by the names of their columns. */
function cells(kind: string, object: object, group = ''): Record<string, unknown> {
  const descriptor = builtinDescriptors.find(({ type }) => type.kind === kind && type.group === group);
  assert.ok(descriptor, kind);
  const whole = { metadata: { name: 'n', creationTimestamp: '2026-01-01T00:00:00Z' }, spec: {}, status: {}, ...object };
  const options = { apiVersion: 'meta.k8s.io/v1', metadata: {}, includeObject: 'None', now: NOW } as const;
  const table = tableOf(descriptor, [whole as never], options) as {
    columnDefinitions: { name: string }[];
    rows: { cells: unknown[] }[];
  };
  return Object.fromEntries(table.columnDefinitions.map(({ name }, index) => [name, table.rows[0]?.cells[index]]));
}

test('cells as upstream prints them', () => {
  const address = (ip: string): object => ({ ip });
  const balancer = { loadBalancer: { ingress: [{ hostname: 'lb.example' }, { ip: '10.0.0.9' }, { ip: '10.0.0.9' }] } };
  const rules = (...hosts: string[]): object => ({ spec: { rules: hosts.map((host) => ({ host })) } });
  const involvedObject = { kind: 'Pod', name: 'p' };
  for (const [kind, group, object, column, text] of [
    ['Endpoints', '', {}, 'Endpoints', '<none>'],
    [
      'Endpoints',
      '',
      { subsets: [{ notReadyAddresses: [address('10.0.0.1')], ports: [{ port: 80 }] }] },
      'Endpoints',
      '',
    ],
    [
      'Endpoints',
      '',
      { subsets: [{ addresses: [address('10.0.0.1'), address('fd00::1')], ports: [{ port: 80 }, { port: 443 }] }] },
      'Endpoints',
      '10.0.0.1:80,[fd00::1]:80,10.0.0.1:443 + 1 more...',
    ],
    ['EndpointSlice', 'discovery.k8s.io', { ports: [{ name: 'web' }, { port: 1 }, {}] }, 'Ports', 'web,1,*'],
    ['EndpointSlice', 'discovery.k8s.io', { endpoints: [{ addresses: [] }] }, 'Endpoints', '<unset>'],
    ['Service', '', { spec: { type: 'LoadBalancer' }, status: balancer }, 'External-IP', '10.0.0.9,lb.example'],
    ['Service', '', { spec: { type: 'LoadBalancer' }, status: {} }, 'External-IP', '<pending>'],
    ['Ingress', 'networking.k8s.io', { status: balancer }, 'Address', '10.0.0.9,lb.example'],
    ['Ingress', 'networking.k8s.io', {}, 'Hosts', '*'],
    ['Ingress', 'networking.k8s.io', rules('a', '', 'b'), 'Hosts', 'a,b'],
    ['Ingress', 'networking.k8s.io', rules('a', 'b', 'c', ''), 'Hosts', 'a,b,c + 1 more...'],
    ['Event', '', { involvedObject, source: {}, series: { count: 4 } }, 'Count', 5],
    ['Event', '', { involvedObject, source: {}, count: 0 }, 'Count', 1],
    ['Event', '', { involvedObject: { kind: 'Pod' }, source: {} }, 'Object', 'pod'],
    ['Event', '', { involvedObject, source: { host: 'node' } }, 'Source', ', node'],
    ['Event', '', { involvedObject, source: {}, firstTimestamp: '2026-01-01T00:59:00Z' }, 'Last Seen', '60s'],
  ] as const) {
    assert.equal(cells(kind, object, group)[column], text, `${kind} ${column} ${JSON.stringify(object)}`);
  }
});

test('FlowSchemas are listed as they are matched', () => {
  const descriptor = builtinDescriptors.find(({ type }) => type.kind === 'FlowSchema');
  assert.ok(descriptor);
  const named = (name: string, matchingPrecedence: number): object => ({
    metadata: { name },
    spec: { matchingPrecedence, priorityLevelConfiguration: { name: 'p' } },
    status: {},
  });
  const options = { apiVersion: 'meta.k8s.io/v1', metadata: {}, includeObject: 'None', now: NOW } as const;
  const objects = [named('a', 900), named('c', 1), named('b', 1)];
  const { rows } = tableOf(descriptor, objects as never, options) as { rows: { cells: unknown[] }[] };
  assert.deepEqual(
    rows.map((row) => row.cells[0]),
    ['b', 'c', 'a'],
  );
});
