/** How much history is kept, as a pure function of what was written when. */

/** The newest revisions are kept, whatever their age (as kine does). */
export const KEEP_REVISIONS = 1000;
/** History beyond KEEP_REVISIONS is kept for this long, ms (as the apiserver has etcd do). */
export const KEEP_MS = 5 * 60_000;
/** History is never longer than this many revisions, so that a flood of writes cannot fill the disk. */
export const MOST_REVISIONS = 50_000;
/** Compaction is not worth a disk write for fewer revisions than this. */
const WORTHWHILE_REVISIONS = 1000;
/** How often a revision is remembered with its time, ms. */
const SAMPLE_MS = 10_000;

/** Knows which revision was the newest at which time, in steps of SAMPLE_MS. */
export class CompactionPolicy {
  /** Oldest first; the first is the newest sample that is at least KEEP_MS old, or the oldest there is. */
  readonly #samples: { at: number; revision: number }[] = [];

  /** Remembers that `revision` is the newest at time `now` (ms). */
  note(revision: number, now: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && now - last.at < SAMPLE_MS) return;
    this.#samples.push({ at: now, revision });
    while ((this.#samples[1]?.at ?? Number.POSITIVE_INFINITY) <= now - KEEP_MS) this.#samples.shift();
  }

  /** Whether there is anything that will be worth compacting at some time without another write. */
  pending(revision: number, floor: number): boolean {
    return revision - KEEP_REVISIONS - floor >= WORTHWHILE_REVISIONS;
  }

  /** Whether history is too long to wait for its age. */
  overdue(revision: number, floor: number): boolean {
    return revision - floor >= MOST_REVISIONS + WORTHWHILE_REVISIONS;
  }

  /** The revision to compact to at time `now`, undefined when it is not worthwhile. */
  target(revision: number, floor: number, now: number): number | undefined {
    while ((this.#samples[1]?.at ?? Number.POSITIVE_INFINITY) <= now - KEEP_MS) this.#samples.shift();
    const oldest = this.#samples[0];
    const aged = oldest !== undefined && oldest.at <= now - KEEP_MS ? oldest.revision : 0;
    const target = Math.max(Math.min(aged, revision - KEEP_REVISIONS), revision - MOST_REVISIONS);
    return target - floor >= WORTHWHILE_REVISIONS ? target : undefined;
  }
}
