import type { Lease } from '../../api/generated/coordination-v1.ts';
import { checkCritical } from '../../bootstrap/server-bootstrap.ts';

/** Leases of API servers carry this label, as upstream's identity Leases do. */
export const SERVER_LEASE_LABEL = 'apiserver.kubernetes.io/identity';
/** On such a Lease: the settings all servers have to agree in, as JSON. */
export const CRITICAL_ANNOTATION = 'kedge.io/critical-settings';
/** How long a server that is not heard of counts as living, ms. */
export const SERVER_LEASE_MS = 15_000;

/**
 * Refuses a server that comes back with other settings than those that run meanwhile (one that joins is asked before):
 * half of the cluster would follow the one, half the other. Throws OperatorError. Settings are changed with all servers
 * stopped.
 */
export function checkAgreement(
  critical: Readonly<Record<string, string>>,
  leases: readonly Lease[],
  { nodeName, now }: { readonly nodeName: string; readonly now: number },
): void {
  for (const { metadata, spec } of leases) {
    const { holderIdentity = '', renewTime } = spec ?? {};
    const settings = metadata.annotations?.[CRITICAL_ANNOTATION];
    if (metadata.labels?.[SERVER_LEASE_LABEL] === undefined || settings === undefined) continue;
    if (holderIdentity === nodeName || Date.parse(renewTime ?? '') + SERVER_LEASE_MS < now) continue;
    checkCritical(critical, JSON.parse(settings), `the server ${holderIdentity}`);
  }
}
