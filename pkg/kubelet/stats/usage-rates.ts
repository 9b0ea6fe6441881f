import type { CpuUsage } from './pod-usage.ts';

/** Two looks that are closer together say nothing about a rate: counters of the machine move in steps of 10 ms. */
const SHORTEST_MS = 100;
/** An older look is of no use: what is asked for is what is used now. */
const OLDEST_MS = 5 * 60_000;

interface Look extends CpuUsage {
  /** The rate until then, shown again when somebody asks right after. */
  readonly nanoCores: number | undefined;
}

/** CPU use as a rate from one look to the next. What nobody looks at costs nothing. */
export class UsageRates {
  #before = new Map<string, Look>();
  #now = new Map<string, Look>();

  /** Nanocores (billionths of a CPU) since the last look at `id`; undefined at the first. */
  rate(id: string, { at, nanos }: CpuUsage): number | undefined {
    const before = this.#before.get(id);
    const elapsed = before === undefined ? 0 : at - before.at;
    // Counters begin anew when something restarts under the same name.
    if (before === undefined || elapsed > OLDEST_MS || nanos < before.nanos) {
      this.#now.set(id, { at, nanos, nanoCores: undefined });
      return undefined;
    }
    if (elapsed < SHORTEST_MS) {
      this.#now.set(id, before);
      return before.nanoCores;
    }
    const nanoCores = Math.round(((nanos - before.nanos) * 1000) / elapsed);
    this.#now.set(id, { at, nanos, nanoCores });
    return nanoCores;
  }

  /** Ends a look: what was not asked for is gone and forgotten. */
  finish(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}
