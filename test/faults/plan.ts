import { percentiles } from '../../packaging/dev/lib/benchmark.ts';
import { FAULTS, type Fault, type Round } from './campaign.ts';

/** Numbers between 0 and 1 that follow from `seed`, so that a campaign can be told again (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All faults again and again, each time in another order. */
export function* shuffled(random: () => number, faults: readonly Fault[] = FAULTS): IterableIterator<Fault> {
  for (;;) {
    const rest = [...faults];
    while (rest.length > 0) yield* rest.splice(Math.floor(random() * rest.length), 1);
  }
}

/** What came of all rounds, a line for each kind of fault. */
export function summary(rounds: readonly Round[]): string[] {
  const ms = (values: readonly number[]): string =>
    values.length === 0 ? '-' : `p50 ${percentiles(values).p50} ms, most ${Math.max(...values)} ms`;
  return FAULTS.flatMap((fault) => {
    const of = rounds.filter((round) => round.fault === fault);
    if (of.length === 0) return [];
    const unanswered = of.reduce((sum, round) => sum + round.unanswered, 0);
    return [
      `${fault}: ${of.length} times; healed after ${ms(of.map(({ healed }) => healed))}; pause of writes ${ms(of.map(({ pause }) => pause))}; ${unanswered} questions unanswered`,
    ];
  });
}
