/** Which certificates have to be issued: a pure decision over what is on disk and what is wanted. */

export type CertificateUsage = 'server' | 'client';

/** What a leaf is for; `peer`: both. */
export type LeafUsage = CertificateUsage | 'peer';

/** The usages a certificate of that kind has. */
export const usagesOf = (usage: LeafUsage): readonly CertificateUsage[] =>
  usage === 'peer' ? ['server', 'client'] : [usage];

/** What a leaf certificate has to say. */
export interface LeafSpec {
  /** File name without its ending, unique among all certificates. */
  readonly name: string;
  /** Name of the authority that signs it. */
  readonly issuer: string;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly usage: LeafUsage;
  readonly dnsNames: readonly string[];
  /** In canonical form, see `canonicalIP`. */
  readonly ipAddresses: readonly string[];
}

/** What the certificate found on disk says; addresses in canonical form. */
export interface ExistingLeaf {
  /** Name of the present authority whose key made the signature; undefined when none of them did. */
  readonly issuer: string | undefined;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly usages: readonly CertificateUsage[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whether the private key beside it belongs to it. */
  readonly keyMatches: boolean;
}

export type IssueReason =
  | 'missing'
  | 'key does not match'
  | 'signed by another authority'
  | 'subject changed'
  | 'usage changed'
  | 'names or addresses changed'
  | 'expires soon'
  | 'not yet valid';

export interface PlannedIssue {
  readonly leaf: LeafSpec;
  readonly reason: IssueReason;
}

export const DAY_MS = 24 * 60 * 60 * 1000;
/** k3s's periods: authorities 10 years, leaves 365 days, renewed when less than 120 days remain. */
export const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS;
export const LEAF_LIFETIME_MS = 365 * DAY_MS;
export const RENEW_BEFORE_MS = 120 * DAY_MS;

/** How long before its end a leaf is renewed that lives for `lifetimeMs`. */
export function renewBefore(lifetimeMs: number): number {
  return (RENEW_BEFORE_MS / LEAF_LIFETIME_MS) * Math.min(lifetimeMs, LEAF_LIFETIME_MS);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const left = new Set(a);
  const right = new Set(b);
  return left.size === right.size && [...left].every((value) => right.has(value));
}

function reasonToIssue(
  existing: ExistingLeaf | undefined,
  wanted: LeafSpec,
  now: number,
  lifetimeMs: number,
): IssueReason | undefined {
  if (existing === undefined) return 'missing';
  if (!existing.keyMatches) return 'key does not match';
  if (existing.issuer !== wanted.issuer) return 'signed by another authority';
  if (existing.commonName !== wanted.commonName || !sameSet(existing.organizations, wanted.organizations)) {
    return 'subject changed';
  }
  if (!sameSet(existing.usages, usagesOf(wanted.usage))) return 'usage changed';
  if (!sameSet(existing.dnsNames, wanted.dnsNames) || !sameSet(existing.ipAddresses, wanted.ipAddresses)) {
    return 'names or addresses changed';
  }
  if (existing.notAfter - now < renewBefore(lifetimeMs)) return 'expires soon';
  if (existing.notBefore > now) return 'not yet valid';
  return undefined;
}

/**
 * The leaves of `wanted` that have to be issued at time `now` (ms since the epoch), each with the first reason found.
 * `existing` holds what is on disk by name; a certificate whose authority was just made reads as 'signed by another
 * authority', so a new authority takes all its leaves with it. Leaves live for `lifetimeMs`.
 */
export function planCertificates(
  existing: ReadonlyMap<string, ExistingLeaf>,
  wanted: readonly LeafSpec[],
  now: number,
  lifetimeMs = LEAF_LIFETIME_MS,
): PlannedIssue[] {
  return wanted.flatMap((leaf) => {
    const reason = reasonToIssue(existing.get(leaf.name), leaf, now, lifetimeMs);
    return reason === undefined ? [] : [{ leaf, reason }];
  });
}
