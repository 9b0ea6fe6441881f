import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { type NftTable, renderDiff, renderTable } from '../../host/nft-table.ts';
import { forgetFlow, parseFlows, staleFlows } from './conntrack.ts';
import { NftablesRenderer } from './nftables.ts';
import { ServicePlanner } from './plan-services.ts';
import type { Ruleset, VirtualService } from './ruleset.ts';

function service(spec: object, options: { name?: string; labels?: object; status?: object } = {}): Service {
  return {
    metadata: { name: options.name ?? 'web', namespace: 'default', labels: options.labels },
    spec: { clusterIP: '10.43.0.5', ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }], ...spec },
    status: options.status ?? {},
  } as unknown as Service;
}

type EndpointText = readonly [address: string, node: string, conditions?: object];

function slice(endpoints: readonly EndpointText[], options: object = {}): EndpointSlice {
  return {
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map(([address, nodeName, conditions = { ready: true }]) => ({
      addresses: [address],
      nodeName,
      conditions,
    })),
    ...options,
  } as unknown as EndpointSlice;
}

function plan(
  services: Service[],
  endpointSlices: EndpointSlice[],
  servedHere: string[] = [],
  planner = new ServicePlanner(),
): Ruleset {
  return planner.plan({
    family: 4,
    services,
    endpointSlices,
    nodeName: 'n1',
    clusterCIDR: '10.42.0.0/16',
    serviceCIDR: '10.43.0.0/16',
    servedHere: new Set(servedHere),
  });
}

function one(services: Service, ...slices: EndpointSlice[]): VirtualService {
  const [first] = plan([services], slices).services;
  assert.ok(first);
  return first;
}

const renderNftables = (ruleset: Ruleset, name?: string): NftTable => new NftablesRenderer(name).render(ruleset);

const addresses = (list: readonly { address: string }[]): string => list.map(({ address }) => address).join(' ');

test('a Service port with its endpoints', () => {
  assert.deepEqual(
    one(
      service({}),
      slice([
        ['10.42.0.2', 'n1'],
        ['10.42.1.2', 'n2'],
      ]),
    ),
    {
      key: 'default/web/tcp/80',
      protocol: 'tcp',
      port: 80,
      clusterIP: '10.43.0.5',
      externalAddresses: [],
      nodePort: undefined,
      internal: {
        endpoints: [
          { address: '10.42.0.2', port: 8080, local: true },
          { address: '10.42.1.2', port: 8080, local: false },
        ],
        otherwise: 'drop',
      },
      external: {
        endpoints: [
          { address: '10.42.0.2', port: 8080, local: true },
          { address: '10.42.1.2', port: 8080, local: false },
        ],
        otherwise: 'drop',
      },
      externalLocal: false,
      cluster: [
        { address: '10.42.0.2', port: 8080, local: true },
        { address: '10.42.1.2', port: 8080, local: false },
      ],
      affinitySeconds: undefined,
    },
  );
});

test('which Services are proxied', () => {
  const cases: [string, Service, number][] = [
    ['headless', service({ clusterIP: 'None' }), 0],
    ['no address yet', service({ clusterIP: '' }), 0],
    ['ExternalName', service({ type: 'ExternalName', externalName: 'example.com' }), 0],
    ['another proxy', service({}, { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }), 0],
    ['of the other family', service({ clusterIP: 'fd00::1' }), 0],
    ['of both families', service({ clusterIP: 'fd00::1', clusterIPs: ['fd00::1', '10.43.0.5'] }), 1],
    [
      'two ports',
      service({
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 1, protocol: 'UDP' },
        ],
      }),
      2,
    ],
  ];
  for (const [name, object, count] of cases) assert.equal(plan([object], []).services.length, count, name);
});

test('which endpoints are used', () => {
  const ready = { ready: true };
  const draining = { ready: false, serving: true, terminating: true };
  const gone = { ready: false, serving: false, terminating: true };
  const starting = { ready: false };
  const cases: [string, EndpointText[], string][] = [
    [
      'only ready ones',
      [
        ['10.42.0.2', 'n1', ready],
        ['10.42.0.3', 'n1', starting],
        ['10.42.0.4', 'n1', draining],
      ],
      '10.42.0.2',
    ],
    ['no conditions mean ready', [['10.42.0.2', 'n1', {}]], '10.42.0.2'],
    [
      'without a ready one those that drain',
      [
        ['10.42.0.3', 'n1', starting],
        ['10.42.0.4', 'n1', draining],
      ],
      '10.42.0.4',
    ],
    ['neither', [['10.42.0.3', 'n1', gone]], ''],
    [
      'in a fixed order, each once',
      [
        ['10.42.0.3', 'n1'],
        ['10.42.0.2', 'n1'],
        ['10.42.0.3', 'n1'],
      ],
      '10.42.0.2 10.42.0.3',
    ],
  ];
  for (const [name, endpoints, expected] of cases) {
    assert.equal(addresses(one(service({}), slice(endpoints)).cluster), expected, name);
  }
  const both = one(service({}), slice([['10.42.0.2', 'n1', draining]]), slice([['10.42.0.2', 'n1']]));
  assert.equal(addresses(both.cluster), '10.42.0.2');
  const wrongPort = slice([['10.42.0.2', 'n1']], { ports: [{ name: 'metrics', port: 1, protocol: 'TCP' }] });
  assert.equal(addresses(one(service({}), wrongPort).cluster), '');
  const wrongFamily = slice([['fd00::2', 'n1']], { addressType: 'IPv6' });
  assert.equal(addresses(one(service({}), wrongFamily).cluster), '');
});

test('traffic policies: the local endpoints, draining ones when no local one is ready', () => {
  const endpoints: EndpointText[] = [
    ['10.42.0.2', 'n1', { ready: false, serving: true, terminating: true }],
    ['10.42.1.2', 'n2'],
  ];
  const local = one(service({ internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' }), slice(endpoints));
  assert.equal(addresses(local.internal.endpoints), '10.42.0.2');
  assert.equal(addresses(local.external.endpoints), '10.42.0.2');
  assert.equal(addresses(local.cluster), '10.42.1.2');
  const remote = one(service({ internalTrafficPolicy: 'Local' }), slice([['10.42.1.2', 'n2']]));
  assert.deepEqual(remote.internal, { endpoints: [], otherwise: 'drop' });
  assert.deepEqual(one(service({ internalTrafficPolicy: 'Local' })).internal, { endpoints: [], otherwise: 'reject' });
});

test('external addresses, node port, affinity, the DNS address', () => {
  const balanced = one(
    service(
      {
        type: 'LoadBalancer',
        externalIPs: ['198.51.100.1', 'fd00::9'],
        loadBalancerSourceRanges: [' 203.0.113.0/24 ', 'fd00::/8'],
        ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 }],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      },
      {
        status: {
          loadBalancer: {
            ingress: [{ ip: '198.51.100.2' }, { ip: '198.51.100.3', ipMode: 'Proxy' }, { hostname: 'lb.example.com' }],
          },
        },
      },
    ),
  );
  assert.deepEqual(balanced.externalAddresses, [
    { address: '198.51.100.1', allowedSources: undefined },
    { address: '198.51.100.2', allowedSources: ['203.0.113.0/24'] },
  ]);
  assert.equal(balanced.nodePort, 30080);
  assert.equal(balanced.affinitySeconds, 60);
  assert.equal(plan([service({})], [], ['10.43.0.5']).services[0]?.clusterIP, undefined);
});

test('the rules of a small cluster', () => {
  const ruleset = plan(
    [
      service({ ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 }] }),
      service({ clusterIP: '10.43.0.6' }, { name: 'empty' }),
    ],
    [
      slice([
        ['10.42.0.2', 'n1'],
        ['10.42.1.2', 'n2'],
      ]),
    ],
  );
  const text = renderTable(renderNftables(ruleset, 't'));
  const own = text.split('\n').filter((line) => /default|element/.test(line));
  assert.deepEqual(own, [
    'add chain ip t svc/default/web/tcp/80',
    'add chain ip t ext/default/web/tcp/80',
    'add rule ip t svc/default/web/tcp/80 meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.42.0.2 . 8080, 1 : 10.42.1.2 . 8080 }',
    'add rule ip t ext/default/web/tcp/80 meta mark set meta mark or 0x4000',
    'add rule ip t ext/default/web/tcp/80 goto svc/default/web/tcp/80',
    'add element ip t service-ips { 10.43.0.5 . tcp . 80 : goto svc/default/web/tcp/80 }',
    'add element ip t node-ports { tcp . 30080 : goto ext/default/web/tcp/80 }',
    'add element ip t refused-ips { 10.43.0.6 . tcp . 80 : goto refuse-at-once }',
    'add element ip t hairpin { 10.42.0.2 . 10.42.0.2 }',
  ]);
});

test('policy Local, allowed sources and affinity as rules', () => {
  const local = renderNftables(
    plan(
      [
        service(
          { type: 'LoadBalancer', externalTrafficPolicy: 'Local', loadBalancerSourceRanges: ['203.0.113.0/24'] },
          { status: { loadBalancer: { ingress: [{ ip: '198.51.100.2' }] } } },
        ),
      ],
      [slice([['10.42.1.2', 'n2']])],
    ),
  );
  assert.deepEqual(local.chains.get('ext/default/web/tcp/80')?.rules, [
    'ip saddr 10.42.0.0/16 goto svc/default/web/tcp/80',
    'fib saddr type local meta mark set meta mark or 0x4000 goto svc/default/web/tcp/80',
    'drop',
  ]);
  assert.deepEqual(local.chains.get('lb/default/web/tcp/80/198.51.100.2')?.rules, [
    'ip saddr 203.0.113.0/24 goto ext/default/web/tcp/80',
    'drop',
  ]);
  const affine = renderNftables(plan([service({ sessionAffinity: 'ClientIP' })], [slice([['10.42.0.2', 'n1']])]));
  assert.deepEqual(affine.chains.get('svc/default/web/tcp/80')?.rules, [
    'ip saddr @clients/default/web/tcp/80/10.42.0.2/8080/10800 goto ep/default/web/tcp/80/10.42.0.2/8080',
    'numgen random mod 1 vmap { 0 : goto ep/default/web/tcp/80/10.42.0.2/8080 }',
  ]);
});

test('with 1,000 Services a changed endpoint is planned alone, and a small transaction', () => {
  const services: Service[] = [];
  const slices: EndpointSlice[] = [];
  for (let index = 0; index < 1000; index++) {
    const name = `s${index}`;
    services.push(service({ clusterIP: `10.43.${index >> 8}.${index & 255}` }, { name }));
    const metadata = { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } };
    const pods = [2, 3, 4].map((last): EndpointText => [`10.42.${index >> 8}.${(index & 63) * 4 + last - 2}`, 'n1']);
    slices.push(slice(pods, { metadata }));
  }
  const planner = new ServicePlanner();
  const renderer = new NftablesRenderer();
  const changed = (): { services: string[]; script: string } => {
    const now = plan(services, slices, [], planner);
    const table = renderer.render(now);
    const old = new Set(before.services);
    const script = renderDiff(tableBefore, table);
    [before, tableBefore] = [now, table];
    return { services: now.services.filter((item) => !old.has(item)).map(({ key }) => key), script };
  };
  let before = plan(services, slices, [], planner);
  let tableBefore = renderer.render(before);
  const metadata = { name: 's7', namespace: 'default', labels: { 'kubernetes.io/service-name': 's7' } };
  slices[7] = slice([['10.42.9.9', 'n1']], { metadata });
  const first = changed();
  assert.deepEqual(first.services, ['default/s7/tcp/80']);
  assert.equal(first.script.split('\n').filter((line) => line.includes('s7/')).length, 2, first.script);
  assert.ok(first.script.length < 1000, `${first.script.length} bytes`);
  const [web] = services;
  services[0] = service({ clusterIP: '10.43.0.0' }, { name: 's0' });
  assert.notEqual(services[0], web);
  slices[7] = slice([['10.42.9.9', 'n1']], { metadata: { ...metadata, annotations: { seen: 'again' } } });
  assert.deepEqual(changed(), { services: [], script: '' }, 'writes that mean nothing to a proxy');
  services.splice(3, 1);
  const gone = changed();
  assert.deepEqual(gone.services, []);
  assert.match(gone.script, /delete chain ip kedge-proxy svc\/default\/s3\/tcp\/80/);
  assert.match(gone.script, /delete element ip kedge-proxy service-ips \{ 10\.43\.0\.3 \. tcp \. 80 \}/);
});

test('stale UDP flows', () => {
  const flow = (destination: string, port: number, server: string): string =>
    `udp      17 25 src=10.42.0.9 dst=${destination} sport=4000 dport=${port} [UNREPLIED] src=${server} dst=10.42.0.9 sport=53 dport=4000 mark=0 use=1`;
  const flows = parseFlows(
    [
      flow('10.43.0.5', 53, '10.42.0.2'),
      flow('10.43.0.5', 53, '10.42.0.3'),
      flow('10.43.0.5', 53, '10.43.0.5'),
      flow('192.0.2.1', 30053, '10.42.0.3'),
      flow('192.0.2.9', 30053, '192.0.2.9'),
      'conntrack v1.4.7 (conntrack-tools): 5 flow entries have been shown.',
    ].join('\n'),
  );
  const ports = [{ name: 'dns', port: 53, protocol: 'UDP', nodePort: 30053 }];
  const ruleset = plan(
    [service({ ports })],
    [slice([['10.42.0.2', 'n1']], { ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] })],
  );
  const stale = staleFlows(ruleset, flows, new Set(['192.0.2.1']));
  assert.deepEqual(
    stale.map(({ destination, server }) => `${destination} ${server}`),
    ['10.43.0.5 10.42.0.3', '10.43.0.5 10.43.0.5', '192.0.2.1 10.42.0.3'],
  );
  const [first] = stale;
  assert.ok(first);
  assert.equal(
    forgetFlow(first).join(' '),
    'conntrack -D -p udp --orig-dst 10.43.0.5 --orig-port-dst 53 --reply-src 10.42.0.3',
  );
});
