import { join } from 'node:path';
import { ensurePackages } from '../../packaging/dev/lib/apt.ts';
import { type Benchmark, percentiles } from '../../packaging/dev/lib/benchmark.ts';
import { ensureUserModeLinux } from '../../packaging/dev/lib/user-mode-linux.ts';
import { IPVS_MODULES } from '../guest/modules.ts';
import { runInGuest } from '../guest/run.ts';

const SERVICES = 1000;
const CHANGES = 100;

/** What lib/ipvs-child.ts measures: middle times of rounds in µs, times of changes in ms. */
export interface IpvsMeasurements {
  readonly direct: readonly number[];
  readonly service: readonly number[];
  readonly programming: readonly number[];
}

/** The IPVS form of the Service proxy, in a guest: its times are to be compared with each other only. */
export const benchmark: Benchmark = {
  name: 'Services by IPVS, in a guest',
  async run() {
    await ensurePackages('ipvs');
    const kernel = await ensureUserModeLinux();
    if (kernel === undefined) return [];
    const child = join(import.meta.dirname, 'lib', 'ipvs-child.ts');
    const { exitCode, output } = await runInGuest({
      kernel,
      modules: IPVS_MODULES,
      argv: [process.execPath, child, String(SERVICES), String(CHANGES)],
      timeoutMs: 900_000,
    });
    if (exitCode !== 0) throw new Error(`the guest failed: ${output}`);
    const { direct, service, programming } = JSON.parse(output.trim().split('\n').at(-1) ?? '') as IpvsMeasurements;
    const ratio = percentiles(service.map((value, n) => value / (direct[n] ?? Number.NaN))).p50;
    const { p50, p99 } = percentiles(programming);
    return [
      {
        what: `connect and first byte between Pods of a node, p50: direct; cluster IP (${SERVICES} Services)`,
        measured: `${percentiles(direct).p50.toFixed(0)} µs; ${percentiles(service).p50.toFixed(0)} µs`,
      },
      { what: 'cluster IP to direct, pair by pair, p50', measured: `${ratio.toFixed(2)} ×` },
      {
        what: `endpoint change → virtual servers in force, ${CHANGES} changes`,
        measured: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
        target: 'p99 ≤ 1 s',
      },
    ];
  },
};
