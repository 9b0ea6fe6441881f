import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { CompactionPolicy } from './compaction-policy.ts';
import type { Opened } from './protocol.ts';
import type { WorkerLink } from './worker-link.ts';

/** How often it is looked whether history is old enough, while there is history to compact, ms. */
const CHECK_MS = 60_000;

/**
 * Keeps history within CompactionPolicy's bounds, in steps between which writes go on. Without writes it has no timer
 * and does nothing. Lists in progress pin the revision they read at: compaction stays at or below it.
 */
export class Compactor {
  readonly #link: WorkerLink;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #policy = new CompactionPolicy();
  readonly #pins = new Map<symbol, number>();
  #revision: number;
  #floor: number;
  #timer: Cancel | undefined;
  #stopped = false;
  #automatic = false;
  #running: Promise<void> = Promise.resolve();

  constructor(link: WorkerLink, opened: Opened, log: Logger, clock: Clock) {
    this.#link = link;
    this.#log = log;
    this.#clock = clock;
    this.#revision = opened.revision;
    this.#floor = opened.floor;
    this.note(this.#revision);
  }

  /** Tells that `revision` is the newest now. */
  note(revision: number): void {
    this.#revision = revision;
    this.#policy.note(revision, this.#clock.now());
    if (this.#stopped || this.#automatic || !this.#policy.pending(revision, this.#floor)) return;
    if (this.#policy.overdue(revision, this.#floor)) this.#check();
    else this.#timer ??= this.#clock.setTimeout(() => this.#check(), CHECK_MS);
  }

  /** Keeps the state at `revision` readable until the returned function is called. */
  pin(revision: number): () => void {
    const pin = Symbol();
    this.#pins.set(pin, revision);
    return () => {
      this.#pins.delete(pin);
    };
  }

  /** Compacts to `revision` or the lowest pin. */
  compact(revision: number): Promise<void> {
    const run = this.#running.then(() => this.#run(revision));
    this.#running = run.catch(() => {});
    return run;
  }

  /** Ends the running compaction after its current step. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    await this.#running;
  }

  #cancelTimer(): void {
    this.#timer?.();
    this.#timer = undefined;
  }

  #check(): void {
    this.#cancelTimer();
    this.#policy.note(this.#revision, this.#clock.now());
    const target = this.#policy.target(this.#revision, this.#floor, this.#clock.now());
    if (target === undefined) {
      this.note(this.#revision);
      return;
    }
    this.#automatic = true;
    void this.compact(target)
      .catch((error: unknown) => {
        if (!this.#stopped) this.#log.warn('compaction failed, will try again', { error: errorText(error) });
      })
      .then(() => {
        this.#automatic = false;
        if (!this.#stopped) this.#timer ??= this.#clock.setTimeout(() => this.#recheck(), CHECK_MS);
      });
  }

  #recheck(): void {
    this.#cancelTimer();
    this.note(this.#revision);
  }

  async #run(revision: number): Promise<void> {
    for (;;) {
      if (this.#stopped) return;
      const to = Math.min(revision, ...this.#pins.values());
      const { floor, done } = await this.#link.call('compact', { to });
      this.#floor = floor;
      if (done) return;
    }
  }
}
