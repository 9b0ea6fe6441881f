import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IpvsKeeper, parseServers, planServers, serverKey, type VirtualServer } from './ipvs.ts';

const LISTING = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A2B0005:0050 rr persistent 1080000 FFFFFFFF
  -> 0A2A0002:1F90      Masq    1      2          1
  -> 0A2A0003:1F90      Masq    0      0          0
UDP  [fd00:0000:0000:0000:0000:0000:0000:0001]:0035 rr
  -> [fd01:0000:0000:0000:0000:0000:0000:0001]:0035      Masq    1      0          7
FWM  00000007 rr
  -> 0A090909:0000      Masq    1      0          0
TCP  C0000201:01BB wlc
  -> C0000202:01BB      Route   1      5          5
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

test("the kernel's listing", () => {
  const servers = parseServers(LISTING);
  assert.deepEqual([...servers.keys()], ['tcp 10.43.0.5:80', 'udp [fd00::1]:53', 'tcp 192.0.2.1:443']);
  assert.equal(servers.get('tcp 10.43.0.5:80')?.persistenceSeconds, 'unknown');
  assert.deepEqual(servers.get('tcp 10.43.0.5:80')?.realServers.get('10.42.0.2:8080'), { weight: 1, connections: 3 });
  assert.deepEqual([...(servers.get('udp [fd00::1]:53')?.realServers.keys() ?? [])], ['[fd01::1]:53']);
});

test('only differences are sent; what others made stays', () => {
  const { lines, draining } = planServers(parseServers(LISTING), wanted(web), inCluster, yes);
  assert.deepEqual(lines, [
    // For how long clients stay is not known of servers that a former process made.
    '-E -t 10.43.0.5:80 -s rr -p 10800',
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

test('one change is one program; what the kernel has is read at the beginning and when that is asked for', async () => {
  const ran: string[] = [];
  const run = (argv: readonly string[], options: { readonly input?: unknown } = {}): Promise<string> => {
    ran.push(argv[0] === 'cat' ? 'read' : String(options.input).trim());
    return Promise.resolve(argv[0] === 'cat' ? LISTING : '');
  };
  const keeper = new IpvsKeeper(run, () => false, yes);
  const more = { ...web, realServers: new Set(['10.42.0.2:8080', '10.42.0.4:8080']) };
  assert.equal(await keeper.apply(wanted(web)), 2);
  assert.equal(await keeper.apply(wanted(web)), 0);
  assert.equal(await keeper.apply(wanted(more)), 1);
  keeper.forget();
  assert.equal(await keeper.apply(wanted(web)), 1);
  assert.deepEqual(ran, [
    'read',
    '-E -t 10.43.0.5:80 -s rr -p 10800\n-d -t 10.43.0.5:80 -r 10.42.0.3:8080',
    '-a -t 10.43.0.5:80 -r 10.42.0.4:8080 -m -w 1',
    'read',
    '-d -t 10.43.0.5:80 -r 10.42.0.3:8080',
  ]);
});
