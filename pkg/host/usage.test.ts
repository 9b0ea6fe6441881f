import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMemory, parseNetDev, parseProcStat } from './usage.ts';

test('busy time is everything but idle and iowait', () => {
  const text = 'cpu  100 20 30 9999 888 4 5 6 7 8\ncpu0 1 1 1 1\nbtime 1700000000\n';
  assert.deepEqual(parseProcStat(text), { cpuNanos: 165 * 10_000_000, bootedAt: 1_700_000_000_000 });
});

test('the working set is what is in use without the inactive file cache', () => {
  const meminfo =
    'MemTotal:       1000 kB\nMemFree:         300 kB\nInactive(file):  200 kB\nAnonPages:  50 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n';
  assert.deepEqual(parseMemory(meminfo, 'pgfault 7\npgmajfault 2\n'), {
    memory: {
      usage: 700 * 1024,
      workingSet: 500 * 1024,
      available: 500 * 1024,
      rss: 50 * 1024,
      pageFaults: 7,
      majorPageFaults: 2,
    },
    swapUsage: 6 * 1024,
    swapAvailable: 4 * 1024,
  });
});

test('network interfaces without the loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:1742      20    3    0    0     0          0         0      472       6    4    0    0     0       0          0
`;
  assert.deepEqual(parseNetDev(text), [{ name: 'eth0', rxBytes: 1742, rxErrors: 3, txBytes: 472, txErrors: 4 }]);
});
