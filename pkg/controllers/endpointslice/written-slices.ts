import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { splitKey } from '../../apimachinery/object-meta.ts';
import type { Informer } from '../../client/informer.ts';

/** What a controller has written and its informer may not show yet: acting on the old sight would make slices twice. */
export class WrittenSlices {
  readonly #informer: Informer<EndpointSlice>;
  /** By owner: the generations of slices that were written and are not all seen yet. */
  readonly #written = new Map<string, Map<string, number>>();

  constructor(informer: Informer<EndpointSlice>) {
    this.#informer = informer;
  }

  /** Whether the informer lags behind what was written for `key`; the event to come is the time to look again. */
  isAhead(key: string): boolean {
    const { namespace } = splitKey(key);
    const expected = this.#written.get(key);
    for (const [name, generation] of expected ?? []) {
      const seen = this.#informer.get(name, namespace);
      if (seen !== undefined && (seen.metadata.generation ?? 0) >= generation) expected?.delete(name);
    }
    return expected !== undefined && expected.size > 0;
  }

  note(key: string, { metadata: { name, generation = 0 } }: EndpointSlice): void {
    const expected = this.#written.get(key) ?? new Map<string, number>();
    expected.set(name, generation);
    this.#written.set(key, expected);
  }

  /** The slice called `name` is gone: its event will not come. */
  forgetSlice(key: string, name: string): void {
    this.#written.get(key)?.delete(name);
  }

  forget(key: string): void {
    this.#written.delete(key);
  }
}
