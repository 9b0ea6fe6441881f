/** What the writers of datastore-kill.test.ts write: each owns one key and goes through numbered steps. */

export const WRITERS = 40;
/** The first writers write lazily. */
export const LAZY_WRITERS = 4;

export interface Step {
  readonly verb: 'put' | 'delete';
  readonly key: string;
  readonly value: Uint8Array;
}

/** Step `step` of `writer`: every seventh deletes the key, the others put a value that names the step. */
export function stepOf(writer: number, step: number): Step {
  const padding = '.'.repeat((step * 97) % 3000);
  return {
    verb: step % 7 === 6 ? 'delete' : 'put',
    key: `/kill/${writer}`,
    value: new TextEncoder().encode(`${writer} ${step} ${padding}`),
  };
}
