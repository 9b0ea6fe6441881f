import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServers, planServers, serverKey, type VirtualServer } from './ipvs.ts';

const LISTING = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.43.0.5:80 rr persistent 10800
  -> 10.42.0.2:8080               Masq    1      2          1
  -> 10.42.0.3:8080               Masq    0      0          0
UDP  [fd00::1]:53 rr
  -> [fd01::1]:53                 Masq    1      0          7
FWM  7 rr
  -> 10.9.9.9:0                   Masq    1      0          0
TCP  192.0.2.1:443 wlc
  -> 192.0.2.2:443                Route   1      5          5
`;

const yes = (): boolean => true;
const inCluster = ({ address }: { readonly address: string }): boolean => !address.startsWith('192.0.2.');

function wanted(...servers: VirtualServer[]): Map<string, VirtualServer> {
  return new Map(servers.map((server) => [serverKey(server), server]));
}

const web: VirtualServer = {
  protocol: 'tcp',
  address: '10.43.0.5:80',
  persistenceSeconds: 10_800,
  realServers: new Set(['10.42.0.2:8080']),
};

test('the listing of ipvsadm', () => {
  const servers = parseServers(LISTING);
  assert.deepEqual([...servers.keys()], ['tcp 10.43.0.5:80', 'udp [fd00::1]:53', 'tcp 192.0.2.1:443']);
  assert.equal(servers.get('tcp 10.43.0.5:80')?.persistenceSeconds, 10_800);
  assert.deepEqual(servers.get('tcp 10.43.0.5:80')?.realServers.get('10.42.0.2:8080'), { weight: 1, connections: 3 });
  assert.equal(servers.get('udp [fd00::1]:53')?.realServers.size, 1);
});

test('only differences are sent; what others made stays', () => {
  const { lines, draining } = planServers(parseServers(LISTING), wanted(web), inCluster, yes);
  assert.deepEqual(lines, [
    // Idle at weight 0: it goes. UDP goes with everything.
    '-d -t 10.43.0.5:80 -r 10.42.0.3:8080',
    '-d -u [fd00::1]:53 -r [fd01::1]:53',
    '-D -u [fd00::1]:53',
  ]);
  assert.equal(draining, false);
});

test('an endpoint with connections runs out first', () => {
  const none = { ...web, realServers: new Set(['10.42.0.3:8080']), persistenceSeconds: undefined };
  const first = planServers(parseServers(LISTING), wanted(none), inCluster, yes);
  assert.deepEqual(first.lines.slice(0, 3), [
    '-E -t 10.43.0.5:80 -s rr',
    '-e -t 10.43.0.5:80 -r 10.42.0.3:8080 -m -w 1',
    '-e -t 10.43.0.5:80 -r 10.42.0.2:8080 -m -w 0',
  ]);
  assert.equal(first.draining, true);
  assert.deepEqual(planServers(first.after, wanted(none), inCluster, yes).lines, []);
  const back = planServers(first.after, wanted({ ...none, realServers: new Set(['10.42.0.2:8080']) }), inCluster, yes);
  assert.ok(back.lines.includes('-e -t 10.43.0.5:80 -r 10.42.0.2:8080 -m -w 1'));
});

test('a virtual server that goes keeps its connections only where it may stay', () => {
  const listed = parseServers(LISTING);
  const kept = planServers(listed, new Map(), inCluster, yes);
  assert.ok(kept.lines.includes('-e -t 10.43.0.5:80 -r 10.42.0.2:8080 -m -w 0'));
  assert.ok(!kept.lines.some((line) => line.startsWith('-D -t 10.43')));
  const gone = planServers(listed, new Map(), inCluster, () => false);
  assert.ok(gone.lines.includes('-D -t 10.43.0.5:80'));
});
