import type { AuditPolicy } from './audit/policy.ts';
import { DEFAULT_LIMITS, type TrafficLimits } from './http/traffic.ts';

/** What upstream's flags of kube-apiserver set, as far as kedge has them; given with `--kube-apiserver-arg`. */
export interface ApiServerSettings {
  /** Undefined: nothing is taken down. */
  readonly audit:
    | {
        readonly policy: AuditPolicy;
        readonly log: {
          readonly path: string;
          readonly maxBytes: number;
          readonly maxBackups: number;
          readonly maxAgeDays: number;
        };
      }
    | undefined;
  readonly limits: TrafficLimits;
  /** How long a request may take that is not to go on for long. */
  readonly requestTimeoutMs: number;
  /** How long requests are still served after the server was asked to end, while `/readyz` fails already. */
  readonly shutdownDelayMs: number;
}

/** Upstream's defaults. */
export const DEFAULT_SETTINGS: ApiServerSettings = {
  audit: undefined,
  limits: DEFAULT_LIMITS,
  requestTimeoutMs: 60_000,
  shutdownDelayMs: 0,
};
