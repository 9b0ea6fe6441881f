import { X509Certificate } from 'node:crypto';
import type { Cancel, Clock } from '../base/clock.ts';
import { renewBefore } from './certificate-plan.ts';
import type { KeyPairPem } from './issue.ts';

export interface RenewalOptions {
  readonly clock: Clock;
  /** Of the certificates, in ms. */
  readonly lifetimeMs: number;
  /** The certificates as they are now. */
  readonly leaves: () => Iterable<KeyPairPem>;
  /** Issues what is due; called again soon when it rejects. */
  readonly renew: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** How often to look at the clock: it may be set at any time, and then certificates end sooner than one has waited. */
const LOOK_MS = 60_000;
/** How often `renew` is called though nothing is due: files on disk may have been lost. */
const CHECK_MS = 12 * 3_600_000;

/** How often a machine has to look at its clock so as not to miss the time in which to renew. */
export function lookEvery(lifetimeMs: number): number {
  return Math.min(LOOK_MS, renewBefore(lifetimeMs) / 4);
}

/**
 * Calls `renew` when a certificate is due, so that a cluster that is never restarted does not lock itself out after a
 * year. Returns what ends that; it resolves when no `renew` is under way any more.
 */
export function keepRenewed(options: RenewalOptions): () => Promise<void> {
  const { clock, lifetimeMs, leaves, renew, onError } = options;
  const interval = lookEvery(lifetimeMs);
  let hasStopped = false;
  let cancel: Cancel = () => {};
  let running = Promise.resolve();
  let dueAt = firstEnd(leaves()) - renewBefore(lifetimeMs);
  let unchecked = 0;

  const look = (): void => {
    cancel = clock.setTimeout(() => {
      unchecked += interval;
      if (clock.now() < dueAt && unchecked < CHECK_MS) look();
      else running = check().finally(() => hasStopped || look());
    }, interval);
  };
  async function check(): Promise<void> {
    try {
      await renew();
      unchecked = 0;
      dueAt = firstEnd(leaves()) - renewBefore(lifetimeMs);
    } catch (error) {
      onError(error);
    }
  }
  look();
  return async () => {
    hasStopped = true;
    cancel();
    await running;
  };
}

function firstEnd(pairs: Iterable<KeyPairPem>): number {
  return Math.min(...Array.from(pairs, ({ certificate }) => new X509Certificate(certificate).validToDate.getTime()));
}
