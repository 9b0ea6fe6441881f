import type { UserInfo } from '../../registry/user-info.ts';

/** Options every write shares; parsed from the query and the DeleteOptions body, or given by an in-process client. */
export interface WriteRequest {
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly fieldManager: string;
  /** Warnings for the client, sent as `Warning: 299` headers. */
  readonly warn: (text: string) => void;
}

export interface DeleteRequest {
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined;
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
}
