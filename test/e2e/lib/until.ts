import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  /** Longest wait, ms; 90 s unless given. */
  readonly timeoutMs?: number;
  /** Between two looks, ms; 200 unless given. */
  readonly intervalMs?: number;
}

/**
 * Calls `look` until it gives a value other than undefined and false, and resolves to that. What `look` throws counts
 * as "not yet"; when time is up the assertion names `what`, and what was thrown last.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const timeoutMs = options.timeoutMs ?? 90_000;
  const limit = Date.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      last = error;
    }
    if (Date.now() > limit) {
      const why = last === undefined ? '' : `\nlast failure: ${last instanceof Error ? last.message : String(last)}`;
      assert.fail(`waited ${timeoutMs / 1000} s in vain until ${what}${why}`);
    }
    await delay(options.intervalMs ?? 200);
  }
}
