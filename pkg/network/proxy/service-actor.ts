import type { Ruleset } from './ruleset.ts';

export const PROXY_MODES = ['ipvs', 'nftables'] as const;

/** What in the kernel carries Services out. */
export type ProxyMode = (typeof PROXY_MODES)[number];

/** Brings rulesets of one address family into force. Calls must not overlap. */
export interface ServiceActor {
  /** Resolves to the size of the change, 0 when there was nothing to do; the first one replaces what it finds. */
  apply(ruleset: Ruleset): Promise<number>;
  /**
   * Forgets what is perhaps not so any more, so that the next `apply` of the same ruleset looks and mends it:
   * everything that somebody else may have changed, or only whether old endpoints are idle by now.
   */
  inspect(what: 'everything' | 'old endpoints'): Promise<void>;
  /** Whether old endpoints are still there until their connections end. */
  readonly draining: boolean;
  /** Takes everything out of the kernel. */
  remove(): Promise<void>;
}
