import { megabytes } from '../../packaging/build/executable.ts';
import type { Benchmark } from '../../packaging/dev/lib/benchmark.ts';
import { percentiles } from '../../packaging/dev/lib/benchmark.ts';
import { mustRun } from '../../packaging/dev/lib/command.ts';
import { EXECUTABLE } from '../e2e/lib/kedge.ts';

const RUNS = 20;

/** What the single file costs before it does anything. */
export const benchmark: Benchmark = {
  name: 'The executable',
  async run() {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const begun = performance.now();
      await mustRun(EXECUTABLE, ['--version']);
      times.push(performance.now() - begun);
    }
    const { p50, p99 } = percentiles(times);
    return [
      { what: 'size of dist/kedge', measured: megabytes(EXECUTABLE) },
      { what: `kedge --version, p50 of ${RUNS}`, measured: `${p50.toFixed(0)} ms` },
      { what: `kedge --version, p99 of ${RUNS}`, measured: `${p99.toFixed(0)} ms` },
    ];
  },
};
