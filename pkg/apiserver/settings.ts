import type { AuditPolicy } from './audit/policy.ts';

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
}
