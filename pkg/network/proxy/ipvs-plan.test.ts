import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpSets, renderIpSets } from '../../host/ipset.ts';
import { parseOwnChains, renderIptables } from '../../host/iptables.ts';
import { type IpvsPlan, IpvsPlanner } from './ipvs-plan.ts';
import type { VirtualService } from './ruleset.ts';

const own = { address: '10.42.0.2', port: 8080, local: true };
const other = { address: '10.42.1.2', port: 8080, local: false };
const both = [own, other];

const WEB: VirtualService = {
  key: 'default/web/tcp/80',
  protocol: 'tcp',
  port: 80,
  clusterIP: '10.43.0.5',
  externalAddresses: [],
  nodePort: undefined,
  internal: { endpoints: both, otherwise: 'drop' },
  external: { endpoints: both, otherwise: 'drop' },
  externalLocal: false,
  cluster: both,
  affinitySeconds: undefined,
};

function plan(...services: VirtualService[]): IpvsPlan {
  const ruleset = { family: 4, clusterCIDR: '10.42.0.0/16', serviceCIDR: '10.43.0.0/16', services } as const;
  return new IpvsPlanner().plan(ruleset, { nodeAddresses: ['192.0.2.1'], servedHere: ['10.43.0.10'] });
}

function setOf(made: IpvsPlan, name: string): string[] {
  return [...(made.sets.get(`KEDGE-IPVS-${name}`)?.entries ?? [])];
}

test('a cluster IP is a virtual server; only its own Pods are in the set for hairpins', () => {
  const made = plan(WEB);
  assert.deepEqual(
    [...made.servers].map(([key, { realServers }]) => [key, ...realServers]),
    [['tcp 10.43.0.5:80', '10.42.0.2:8080', '10.42.1.2:8080']],
  );
  assert.deepEqual(setOf(made, 'SERVED'), ['10.43.0.5,tcp:80']);
  assert.deepEqual(setOf(made, 'HAIRPIN'), ['10.42.0.2,tcp:8080,10.42.0.2']);
  assert.equal(made.hasAddressesElsewhere, false);
});

test('the number of rules does not grow with Services; what the node serves itself is left alone', () => {
  const many = Array.from({ length: 100 }, (_, n) => ({ ...WEB, key: `s${n}`, clusterIP: `10.43.1.${n}` }));
  assert.deepEqual(plan(...many).tables, plan(WEB).tables);
  const rules = plan(WEB).tables.flatMap(({ chains }) => [...chains.values()].flat());
  assert.match(rules.join('\n'), /-d 10\.43\.0\.10 -j RETURN/);
});

test('without endpoints connections are refused, or dropped where others serve', () => {
  const none = { endpoints: [], otherwise: 'reject' } as const;
  assert.deepEqual(setOf(plan({ ...WEB, internal: none, cluster: [] }), 'REFUSED'), ['10.43.0.5,tcp:80']);
  assert.deepEqual(setOf(plan({ ...WEB, internal: { endpoints: [], otherwise: 'drop' } }), 'DROPPED'), [
    '10.43.0.5,tcp:80',
  ]);
});

test('node ports listen on the node; 127.0.0.1 goes by rules', () => {
  const made = plan({ ...WEB, nodePort: 30080 });
  assert.ok(made.servers.has('tcp 192.0.2.1:30080'));
  assert.deepEqual(setOf(made, 'MASQUERADE'), ['192.0.2.1,tcp:30080']);
  assert.deepEqual(setOf(made, 'TRANSLATE'), ['127.0.0.1,tcp:30080']);
});

test('external addresses of others are brought here by mark, with their allowed sources', () => {
  const externalAddresses = [
    { address: '203.0.113.7', allowedSources: ['198.51.100.0/24', '10.0.0.1/32'] },
    { address: '192.0.2.1', allowedSources: ['0.0.0.0/0'] },
  ];
  const made = plan({
    ...WEB,
    externalAddresses,
    externalLocal: true,
    external: { endpoints: [own], otherwise: 'drop' },
  });
  assert.equal(made.hasAddressesElsewhere, true);
  assert.deepEqual(setOf(made, 'ELSEWHERE'), ['203.0.113.7,tcp:80']);
  assert.deepEqual(setOf(made, 'RESTRICTED'), ['203.0.113.7,tcp:80']);
  assert.deepEqual(setOf(made, 'ALLOWED'), ['203.0.113.7,tcp:80,198.51.100.0/24', '203.0.113.7,tcp:80,10.0.0.1']);
  assert.deepEqual([...(made.servers.get('tcp 203.0.113.7:80')?.realServers ?? [])], ['10.42.0.2:8080']);
  // Pods and the node itself get all endpoints there.
  assert.deepEqual(setOf(made, 'TRANSLATE'), ['203.0.113.7,tcp:80', '192.0.2.1,tcp:80']);
});

test('every rule names chains and sets that exist, in no more than the kernel allows', () => {
  const affinitySeconds = 60;
  const made = plan({ ...WEB, nodePort: 30080, affinitySeconds });
  for (const { chains } of made.tables) {
    for (const [name, rules] of chains) {
      assert.ok(name.length <= 28, name);
      for (const rule of rules) {
        const target = /-[jg] (KEDGE\S+)/.exec(rule)?.[1];
        assert.ok(target === undefined || chains.has(target), rule);
        for (const [, set = ''] of rule.matchAll(/--match-set (\S+)/g)) assert.ok(made.sets.has(set), rule);
      }
    }
  }
  for (const name of made.sets.keys()) assert.ok(name.length <= 31);
});

test('sets: only differences are sent', () => {
  const saved =
    'create KEDGE-IPVS-SERVED hash:ip,port family inet\nadd KEDGE-IPVS-SERVED 10.43.0.9,tcp:80\ncreate other hash:ip\n';
  const present = parseIpSets(saved, 'KEDGE-IPVS-');
  assert.deepEqual([...present.keys()], ['KEDGE-IPVS-SERVED']);
  const served = { type: 'hash:ip,port', family: 4, entries: new Set(['10.43.0.5,tcp:80']) } as const;
  assert.equal(
    renderIpSets(present, new Map([['KEDGE-IPVS-SERVED', served]])),
    'add KEDGE-IPVS-SERVED 10.43.0.5,tcp:80\ndel KEDGE-IPVS-SERVED 10.43.0.9,tcp:80\n',
  );
  assert.match(
    renderIpSets(new Map(), new Map([['X', served]])),
    /^create X hash:ip,port family inet maxelem \d+\nadd X /,
  );
});

test('iptables: chains of ours that differ are written anew, strange ones go, others stay', () => {
  const saved =
    '*filter\n:KEDGE-IPVS-F - [0:0]\nCOMMIT\n*nat\n:OUTPUT ACCEPT [0:0]\n:KEDGE-IPVS-A - [0:0]\n:KEDGE-IPVS-OLD - [0:0]\n:DOCKER - [0:0]\n-A OUTPUT -j KEDGE-IPVS-OLD\n-A OUTPUT -j DOCKER\n-A KEDGE-IPVS-A -j ACCEPT\nCOMMIT\n';
  const tables = parseOwnChains(saved, 'KEDGE-IPVS-');
  assert.deepEqual([...tables.keys()], ['filter', 'nat']);
  const present = tables.get('nat');
  assert.ok(present);
  assert.deepEqual(
    [...present.chains],
    [
      ['KEDGE-IPVS-A', 1],
      ['KEDGE-IPVS-OLD', 0],
    ],
  );
  const chains = new Map([['KEDGE-IPVS-A', ['-j DROP']]]);
  const table = { name: 'nat', chains, jumps: [['OUTPUT', 'KEDGE-IPVS-A']] } as const;
  assert.deepEqual(
    renderIptables(present, table, new Set(['KEDGE-IPVS-A']))
      .trim()
      .split('\n'),
    [
      '*nat',
      ':KEDGE-IPVS-A - [0:0]',
      ':KEDGE-IPVS-OLD - [0:0]',
      '-A KEDGE-IPVS-A -j DROP',
      '-I OUTPUT -j KEDGE-IPVS-A',
      '-D OUTPUT -j KEDGE-IPVS-OLD',
      '-X KEDGE-IPVS-OLD',
      'COMMIT',
    ],
  );
});
