import type { Clock } from '../../base/clock.ts';
import type { Datastore } from '../../datastore/datastore.ts';

/** Beside the API's keys: who is just giving an address or a port to a Service. */
const PREFIX = '/kedge/service-reservations/';
/** Longer than any write takes. */
const HOLD_MS = 30_000;
/** What a server that died left behind is nobody's after so long; servers' clocks may differ a little. */
const STALE_MS = 5 * 60_000;

/**
 * Addresses and ports that are being given out, agreed upon by all servers: until a Service that has them is written,
 * no other server may choose the same ones.
 */
export class ServiceReservations {
  readonly #datastore: Datastore;
  readonly #clock: Clock;

  constructor(datastore: Datastore, clock: Clock) {
    this.#datastore = datastore;
    this.#clock = clock;
  }

  /**
   * Reserves all of `keys` for `owner` (`namespace/name`), or none and resolves to the one that is another's. Afterwards
   * this server has seen every Service that was written under an earlier reservation: the caller has to look again
   * whether one has it.
   */
  async take(keys: readonly string[], owner: string): Promise<string | undefined> {
    const revisions = new Map<string, number>();
    for (const key of keys) {
      const revision = await this.#takeOne(`${PREFIX}${key}`, owner);
      if (revision === undefined) {
        await this.#release(revisions);
        return key;
      }
      revisions.set(`${PREFIX}${key}`, revision);
    }
    await this.#datastore.current();
    this.#clock.setTimeout(() => void this.#release(revisions), HOLD_MS);
    return undefined;
  }

  /** Resolves to the revision of the reservation; undefined when it is another's. */
  async #takeOne(key: string, owner: string): Promise<number | undefined> {
    // Again when it was let go of, or taken for the same Service, between two looks.
    for (;;) {
      const now = this.#clock.now();
      const value = Buffer.from(JSON.stringify({ owner, at: now }));
      const made = await this.#datastore.create(key, value);
      if (made.ok) return made.revision;
      if (made.current === undefined) continue;
      const held = JSON.parse(Buffer.from(made.current.value).toString('utf8')) as { owner: string; at: number };
      if (held.owner !== owner && held.at + STALE_MS > now) return undefined;
      const taken = await this.#datastore.update(key, value, made.current.modRevision);
      if (taken.ok) return taken.revision;
    }
  }

  /** What cannot be released becomes stale. */
  async #release(revisions: ReadonlyMap<string, number>): Promise<void> {
    for (const [key, revision] of revisions) {
      await this.#datastore.delete(key, revision).then(
        () => {},
        () => {},
      );
    }
  }
}
