import { setTimeout as delay } from 'node:timers/promises';
import { ensureNamedPackages } from '../../packaging/dev/lib/apt.ts';
import type { Benchmark, Figure } from '../../packaging/dev/lib/benchmark.ts';
import { Kedge } from '../e2e/lib/kedge.ts';
import { until } from '../e2e/lib/until.ts';
import { bytesWrittenBy, countSyncs, memoryOf, processorTimeOf } from './lib/process-usage.ts';

/** The server is left alone for this long before its memory is looked at. */
const IDLE_MS = 120_000;
/** Of that, what comes first is the start's own aftermath and does not count as idle work. */
const SETTLE_MS = 30_000;
const SYNC_SECONDS = 60;
/** What the server logs when its node is Ready. */
const READY = 'kedge server is ready';

/** How long a node takes until it is Ready, and what an idle one needs. */
export const benchmark: Benchmark = {
  name: 'Start and idle',
  async run() {
    await ensureNamedPackages(['strace']);
    const begun = performance.now();
    const kedge = await Kedge.start({ wait: false });
    try {
      const cold = await untilReady(kedge, 1, begun);
      await kedge.stop();
      const again = performance.now();
      await kedge.restart();
      const warm = await untilReady(kedge, 2, again);
      return [
        {
          what: 'start of the executable → node Ready, empty data directory',
          measured: seconds(cold),
          target: '≤ 8 s',
        },
        { what: 'the same, with the data of before and containerd running', measured: seconds(warm), target: '≤ 4 s' },
        ...(await idleFigures(kedge.pid)),
      ];
    } finally {
      await kedge.cleanUp();
    }
  },
};

/** Waits until the server has become ready for the `times`-th time; milliseconds since `begun`. */
async function untilReady(kedge: Kedge, times: number, begun: number): Promise<number> {
  await until('the node is Ready', () => kedge.log.split(READY).length > times, { intervalMs: 10 });
  return performance.now() - begun;
}

async function idleFigures(pid: number): Promise<Figure[]> {
  await delay(SETTLE_MS);
  const before = { processor: processorTimeOf(pid), written: bytesWrittenBy(pid) };
  const watched = IDLE_MS - SETTLE_MS;
  await delay(watched);
  const processor = processorTimeOf(pid) - before.processor;
  const written = bytesWrittenBy(pid) - before.written;
  const { rss, anonymous } = memoryOf(pid);
  const syncs = await countSyncs(pid, SYNC_SECONDS);
  const perHour = (written / 1e6) * (3_600_000 / watched);
  return [
    { what: 'kedge server, idle for 2 minutes: RSS', measured: megabytes(rss), target: '≤ 200 MB' },
    { what: 'of that not file-backed', measured: megabytes(anonymous) },
    {
      what: 'processor time, idle',
      measured: `${((processor / watched) * 100).toFixed(2)} % of a core`,
      target: '≤ 1 %',
    },
    { what: 'fsyncs, idle', measured: `${((syncs * 10) / SYNC_SECONDS).toFixed(1)} per 10 s`, target: '≤ 1 per 10 s' },
    { what: 'written to disk, idle', measured: `${perHour.toFixed(1)} MB per hour` },
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
