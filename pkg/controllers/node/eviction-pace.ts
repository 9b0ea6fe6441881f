/**
 * How fast nodes may be emptied: upstream's zone rate limiters, each with room for one node. When many nodes of a zone
 * are lost at once, time shows whether it is really the nodes that are gone.
 */
export class EvictionPace {
  /** The last node of each zone that got leave. */
  readonly #last = new Map<string, { readonly node: string; readonly at: number }>();

  /**
   * Asks for leave to empty `node` of `zone`, of which `perSecond` may be emptied. Returns 0 when it is given (who has it
   * may ask again), and otherwise the milliseconds after which to ask again. `now` in ms.
   */
  take(zone: string, node: string, perSecond: number, now: number): number {
    const last = this.#last.get(zone);
    const pause = 1000 / perSecond;
    const left = last === undefined || last.node === node ? 0 : Math.ceil(last.at + pause - now);
    // A clock that was set back must not hold up everything for as long.
    if (left > 0 && left <= pause) return left;
    this.#last.set(zone, { node, at: now });
    return 0;
  }
}
