import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Benchmark } from '../../packaging/dev/lib/benchmark.ts';
import { Kedge } from '../e2e/lib/kedge.ts';

const IDLE_MS = 120_000;

/** How long a node takes until it is Ready, and what an idle one needs. */
export const benchmark: Benchmark = {
  name: 'Start and idle',
  async run() {
    const begun = performance.now();
    const kedge = await Kedge.start();
    try {
      const cold = performance.now() - begun;
      await kedge.stop();
      const again = performance.now();
      await kedge.restart();
      const warm = performance.now() - again;
      await delay(IDLE_MS);
      const { rss, anonymous } = memoryOf(kedge.pid);
      return [
        { what: 'start of the executable → node Ready, cold', measured: seconds(cold), target: '≤ 8 s' },
        { what: 'start of the executable → node Ready, warm', measured: seconds(warm), target: '≤ 4 s' },
        { what: 'kedge server, idle for 2 minutes: RSS', measured: `${rss} MB`, target: '≤ 200 MB' },
        { what: 'of that not file-backed', measured: `${anonymous} MB` },
      ];
    } finally {
      await kedge.cleanUp();
    }
  },
};

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function memoryOf(pid: number): { rss: number; anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    Math.round((Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6);
  return { rss: megabytes('VmRSS'), anonymous: megabytes('RssAnon') };
}
