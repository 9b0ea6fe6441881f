/** Pods waiting for a node: active, backing off, unschedulable until something changes, or gated. */
import type { Pod } from '../api/generated/core-v1.ts';
import type { Clock } from '../base/clock.ts';
import type { ClusterEvent, Plugin, QueuedPod } from './framework.ts';
import { Heap } from './heap.ts';

const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 10_000;
/** So often a Pod that fits nowhere is tried again at once when something changes; later it backs off first. */
const QUICK_ATTEMPTS = 3;
/** After this long a Pod is tried again even if nothing seems to have changed. */
const FLUSH_MS = 5 * 60_000;

/** Milliseconds to wait after so many attempts. */
const backoff = (attempts: number): number =>
  Math.min(FIRST_BACKOFF_MS * 2 ** Math.max(0, attempts - 1), LONGEST_BACKOFF_MS);

type Place = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'inFlight';

interface Entry extends QueuedPod {
  pod: Pod;
  place: Place;
  attempts: number;
  /** When it was last tried. */
  lastTried: number;
  /** Names of the plugins that refused it; any event may help a Pod that failed otherwise. */
  refusedBy: ReadonlySet<string>;
  /** Cancels the timer of a Pod that is backing off or unschedulable. */
  cancel: () => void;
}

/**
 * The scheduling queue. A Pod that fits nowhere waits until an event comes after which one of the plugins that refused
 * it may have another opinion; one whose binding failed waits for its back-off (1 s doubling to 10 s). Nothing runs
 * while nothing changes but one timer per waiting Pod.
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #plugins: ReadonlyMap<string, Plugin>;
  readonly #entries = new Map<string, Entry>();
  /** May hold entries that have left `active`: those are skipped when they come out. */
  readonly #active: Heap<Entry>;
  #wake: () => void = () => {};

  constructor(clock: Clock, plugins: readonly Plugin[]) {
    this.#clock = clock;
    this.#plugins = new Map(plugins.map((plugin) => [plugin.name, plugin]));
    const compare = plugins.find((plugin) => plugin.compare !== undefined)?.compare;
    this.#active = new Heap<Entry>(compare ?? ((a, b) => a.since - b.since));
  }

  /** Calls `wake` whenever a Pod becomes active. */
  onActive(wake: () => void): void {
    this.#wake = wake;
  }

  /** A Pod that has no node: new, or changed by someone. `relevant`: the change may decide where it fits. */
  upsert(pod: Pod, relevant = true): void {
    const { uid } = pod.metadata;
    const entry = this.#entries.get(uid);
    if (entry === undefined) {
      const created: Entry = {
        pod,
        since: this.#clock.now(),
        place: 'gated',
        attempts: 0,
        lastTried: 0,
        refusedBy: new Set(),
        cancel: () => {},
      };
      this.#entries.set(uid, created);
      this.#activate(created);
      return;
    }
    entry.pod = pod;
    if (relevant && (entry.place === 'unschedulable' || entry.place === 'gated')) this.#activate(entry);
  }

  /** Forgets a Pod that was bound or deleted. */
  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.cancel();
    this.#entries.delete(uid);
    // The heap may still hold it.
    entry.place = 'inFlight';
  }

  /** The next Pod to schedule; it stays known as being in flight until it is removed or comes back. */
  pop(): Pod | undefined {
    for (let entry = this.#active.pop(); entry !== undefined; entry = this.#active.pop()) {
      if (entry.place !== 'active') continue;
      entry.place = 'inFlight';
      entry.attempts++;
      entry.lastTried = this.#clock.now();
      return entry.pod;
    }
    return undefined;
  }

  /** Puts back a Pod that fits nowhere. */
  unschedulable(uid: string, refusedBy: ReadonlySet<string>): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.place = 'unschedulable';
    entry.refusedBy = refusedBy;
    this.#later(entry, FLUSH_MS);
  }

  /** Puts back a Pod whose scheduling failed for another reason than that it fits nowhere. */
  failed(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.place = 'backoff';
    this.#later(entry, backoff(entry.attempts));
  }

  /** Something changed: Pods it may help become active again. */
  moveOn(event: ClusterEvent): void {
    for (const entry of this.#entries.values()) {
      if (entry.place === 'unschedulable' && this.#mayHelp(event, entry)) this.#tryAgain(entry);
    }
  }

  /** In a cluster that changes all the time, many Pods that fit nowhere must not keep the scheduler busy. */
  #tryAgain(entry: Entry): void {
    const wait = entry.lastTried + backoff(entry.attempts - QUICK_ATTEMPTS) - this.#clock.now();
    if (entry.attempts <= QUICK_ATTEMPTS || wait <= 0) {
      this.#activate(entry);
    } else {
      entry.place = 'backoff';
      this.#later(entry, wait);
    }
  }

  /** How many Pods wait in each place. */
  counts(): Readonly<Record<Place, number>> {
    const counts = { active: 0, backoff: 0, unschedulable: 0, gated: 0, inFlight: 0 };
    for (const { place } of this.#entries.values()) counts[place]++;
    return counts;
  }

  /** Cancels all timers. */
  close(): void {
    for (const entry of this.#entries.values()) entry.cancel();
    this.#entries.clear();
  }

  #mayHelp(event: ClusterEvent, { pod, refusedBy }: Entry): boolean {
    if (refusedBy.size === 0) return true;
    for (const name of refusedBy) {
      const plugin = this.#plugins.get(name);
      if (plugin?.mayFitAfter?.(event, pod) ?? true) return true;
    }
    return false;
  }

  #activate(entry: Entry): void {
    entry.cancel();
    for (const plugin of this.#plugins.values()) {
      if (plugin.preEnqueue?.(entry.pod) === undefined) continue;
      entry.place = 'gated';
      return;
    }
    entry.place = 'active';
    this.#active.push(entry);
    this.#wake();
  }

  #later(entry: Entry, ms: number): void {
    entry.cancel();
    entry.cancel = this.#clock.setTimeout(() => this.#activate(entry), ms);
  }
}
