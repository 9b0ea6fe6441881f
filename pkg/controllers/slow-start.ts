/** The outcome of a batch: how many calls succeeded, and the first failure if there was one. */
export interface BatchResult {
  readonly successes: number;
  readonly error?: unknown;
}

/**
 * Calls `fn` `count` times in growing batches (1, 2, 4, …) that run in parallel, and stops after the batch in which a
 * call failed: a quota that refuses the first Pod is not asked five hundred times.
 */
export async function slowStartBatch(count: number, fn: () => Promise<void>): Promise<BatchResult> {
  let successes = 0;
  let remaining = count;
  for (let size = Math.min(remaining, 1); size > 0; size = Math.min(2 * size, remaining)) {
    const results = await Promise.allSettled(Array.from({ length: size }, fn));
    const failed = results.filter((result) => result.status === 'rejected');
    successes += size - failed.length;
    if (failed[0] !== undefined) return { successes, error: failed[0].reason };
    remaining -= size;
  }
  return { successes };
}
