import type { ProbeVerdict } from '../container-kill.ts';
import type { ProbeKind } from '../pod-info.ts';

/** What counts before a probe has run: alive, not ready, not started. */
export const INITIAL_VERDICT: Readonly<Record<ProbeKind, ProbeVerdict | undefined>> = {
  liveness: 'success',
  readiness: 'failure',
  startup: undefined,
};

export interface Thresholds {
  readonly success: number;
  readonly failure: number;
}

/** Turns single results into a verdict once as many in a row as the thresholds ask for agree. */
export class ProbeTally {
  readonly #thresholds: Thresholds;
  #verdict: ProbeVerdict | undefined;
  #last: ProbeVerdict | undefined;
  #run = 0;

  constructor(thresholds: Thresholds, initial: ProbeVerdict | undefined) {
    this.#thresholds = thresholds;
    this.#verdict = initial;
  }

  get verdict(): ProbeVerdict | undefined {
    return this.#verdict;
  }

  /** Counts a result; returns whether the verdict has changed. */
  add(result: ProbeVerdict): boolean {
    this.#run = result === this.#last ? this.#run + 1 : 1;
    this.#last = result;
    if (this.#run < this.#thresholds[result]) return false;
    const changed = this.#verdict !== result;
    this.#verdict = result;
    return changed;
  }
}
