import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Cancel, Clock } from './clock.ts';
import type { Component } from './component.ts';
import { type Logger, silentLogger } from './log.ts';

/** How often is looked. */
const INTERVAL_MS = 5_000;
/** Memory is given back when this much more is held than after the last time. */
const WORTHWHILE_BYTES = 8 * 1024 * 1024;
/** Above this share of an interval the process has better things to do. */
const QUIET = 0.1;

/** What the trimmer needs of the JavaScript engine. */
export interface Heap {
  /** Bytes the heap holds, in use or not, with what hangs on it outside. */
  held(): number;
  /** The share of the time since the last call in which the main thread worked, 0 to 1. */
  busy(): number;
  /** Collects all garbage and gives the memory back to the system. */
  collect(): void;
}

/** The heap of this process; undefined when it was started without `--expose-gc`. */
export function processHeap(): Heap | undefined {
  const { gc } = globalThis;
  if (gc === undefined) return undefined;
  let last = performance.eventLoopUtilization();
  return {
    held() {
      const { total_heap_size, external_memory } = getHeapStatistics();
      return total_heap_size + external_memory;
    },
    busy() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    collect() {
      // Other flavors leave the young generation as large as the burst has made it.
      void gc({ type: 'major', flavor: 'last-resort' });
    },
  };
}

/**
 * Gives memory back after bursts. The engine is allowed to let garbage grow while there is work, which makes that work
 * twice as fast; but it collects only when it allocates, so that of a burst everything would stay. Here it is collected
 * in the first quiet moment.
 */
export class MemoryTrimmer implements Component {
  readonly name = 'memory-trimmer';
  readonly #heap: Heap;
  readonly #clock: Clock;
  readonly #log: Logger;
  #cancel: Cancel = () => {};
  #baseline = 0;

  constructor(heap: Heap, clock: Clock, log: Logger = silentLogger) {
    this.#heap = heap;
    this.#clock = clock;
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#plan();
  }

  async ready(): Promise<void> {}

  async stop(): Promise<void> {
    this.#cancel();
  }

  #plan(): void {
    this.#cancel = this.#clock.setTimeout(() => {
      this.#look();
      this.#plan();
    }, INTERVAL_MS);
  }

  #look(): void {
    const quiet = this.#heap.busy() <= QUIET;
    const before = this.#heap.held();
    if (!quiet || before < this.#baseline + WORTHWHILE_BYTES) return;
    const begun = this.#clock.now();
    this.#heap.collect();
    this.#baseline = this.#heap.held();
    this.#log.debug('memory given back', { before, after: this.#baseline, ms: this.#clock.now() - begun });
  }
}
