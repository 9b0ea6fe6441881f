import type { Clock } from '../base/clock.ts';

/** After this long without the awaited events a controller acts again: an event was missed. */
const TIMEOUT_MS = 5 * 60_000;

interface Expected {
  creations: number;
  readonly deletions: Set<string>;
  readonly since: number;
}

/**
 * What a controller has asked for and its informer has not shown yet, per reconciled key, as in upstream's
 * ControllerExpectations: until it has been seen, acting again would create or delete too much. Deletions are known by
 * uid, so that one seen twice counts once.
 */
export class Expectations {
  readonly #clock: Clock;
  readonly #expected = new Map<string, Expected>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expectCreations(key: string, count: number): void {
    this.#expected.set(key, { creations: count, deletions: new Set(), since: this.#clock.now() });
  }

  expectDeletions(key: string, uids: Iterable<string>): void {
    this.#expected.set(key, { creations: 0, deletions: new Set(uids), since: this.#clock.now() });
  }

  /** One awaited object was seen, or could not be created. */
  creationObserved(key: string): void {
    const expected = this.#expected.get(key);
    if (expected !== undefined && expected.creations > 0) expected.creations--;
  }

  /** The deletion of `uid` was seen, or was refused. */
  deletionObserved(key: string, uid: string): void {
    this.#expected.get(key)?.deletions.delete(uid);
  }

  /** Whether the informer is up to date with what was asked for, so that it is safe to act. */
  satisfied(key: string): boolean {
    const expected = this.#expected.get(key);
    if (expected === undefined || (expected.creations === 0 && expected.deletions.size === 0)) return true;
    return this.#clock.now() - expected.since > TIMEOUT_MS;
  }

  forget(key: string): void {
    this.#expected.delete(key);
  }
}
