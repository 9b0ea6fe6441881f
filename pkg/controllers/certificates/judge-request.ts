/** Which certificate requests of nodes are approved: a pure decision. */
import type { CertificateSigningRequestSpec } from '../../api/generated/certificates-v1.ts';
import { parseSigningRequest, type SigningRequest } from '../../apimachinery/x509/signing-request.ts';
import { SIGNERS } from '../../registry/certificates/signers.ts';
import { JOINING_GROUP, joiningNodeOf } from './joining.ts';

const NODE_PREFIX = 'system:node:';
const NODES_GROUP = 'system:nodes';

/** What has to be known of the cluster. */
export interface RequestFacts {
  /** Whether the requester holds `create` on `certificatesigningrequests/<subresource>`. */
  mayCreate(subresource: 'nodeclient' | 'selfnodeclient'): boolean;
  /** Whose address it is, in words, when it is not to be in the serving certificate of `nodeName`. */
  ownerOfAddress(address: string, nodeName: string): string | undefined;
}

export type Judgement =
  | { readonly verdict: 'approve' | 'deny'; readonly reason: string; readonly message: string }
  /** Not for us: others may judge it. */
  | { readonly verdict: 'none' };

const NONE: Judgement = { verdict: 'none' };

const approve = (message: string): Judgement => ({ verdict: 'approve', reason: 'AutoApproved', message });
const deny = (message: string): Judgement => ({ verdict: 'deny', reason: 'AutoDenied', message });

/**
 * Approves client certificates of nodes as upstream's csrapproving controller does, for the node that a joining machine
 * was given or that asks for itself, and serving certificates, which upstream leaves to the distributor: a node gets
 * one for its own name and for addresses that are nobody else's.
 */
export function judgeRequest(spec: CertificateSigningRequestSpec, facts: RequestFacts): Judgement {
  if (spec.signerName !== SIGNERS.kubeletClient && spec.signerName !== SIGNERS.kubeletServing) return NONE;
  let request: SigningRequest;
  try {
    request = parseSigningRequest(Buffer.from(spec.request, 'base64').toString('latin1'));
  } catch (error) {
    return deny(`the request cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isOfNode(request)) return NONE;
  return spec.signerName === SIGNERS.kubeletClient
    ? judgeClient(spec, request, facts)
    : judgeServing(spec, request, facts);
}

function judgeClient(
  { usages = [], username, groups = [] }: CertificateSigningRequestSpec,
  request: SigningRequest,
  facts: RequestFacts,
): Judgement {
  if (!areUsages(usages, 'client auth') || namesOf(request).length > 0) return NONE;
  if (username === request.commonName) {
    return facts.mayCreate('selfnodeclient')
      ? approve('Auto approving self kubelet client certificate after SubjectAccessReview.')
      : NONE;
  }
  if (!facts.mayCreate('nodeclient')) return NONE;
  if (groups.includes(JOINING_GROUP) && joiningNodeOf(username) !== request.commonName.slice(NODE_PREFIX.length)) {
    return deny(`${username} may not become ${request.commonName}`);
  }
  return approve('Auto approving kubelet client certificate after SubjectAccessReview.');
}

function judgeServing(
  { usages = [], username }: CertificateSigningRequestSpec,
  request: SigningRequest,
  facts: RequestFacts,
): Judgement {
  if (!areUsages(usages, 'server auth') || username !== request.commonName) return NONE;
  const nodeName = request.commonName.slice(NODE_PREFIX.length);
  if (namesOf(request).length === 0 || request.emailAddresses.length + request.uris.length > 0) return NONE;
  const foreign = request.dnsNames.find((name) => name !== nodeName && name !== 'localhost');
  if (foreign !== undefined) return deny(`${foreign} is not the name of node ${nodeName}`);
  for (const address of request.ipAddresses) {
    const owner = facts.ownerOfAddress(address, nodeName);
    if (owner !== undefined) return deny(`${address} is ${owner}: node ${nodeName} cannot have it, too`);
  }
  return approve('Auto approving kubelet serving certificate of the node itself.');
}

function isOfNode({ commonName, organizations }: SigningRequest): boolean {
  return (
    commonName.length > NODE_PREFIX.length && commonName.startsWith(NODE_PREFIX) && organizations.join() === NODES_GROUP
  );
}

function namesOf({ dnsNames, ipAddresses, emailAddresses, uris }: SigningRequest): string[] {
  return [...dnsNames, ...ipAddresses, ...emailAddresses, ...uris];
}

/** `digital signature` and `purpose`, and at most `key encipherment` beside them. */
function areUsages(usages: readonly string[], purpose: string): boolean {
  const needed = ['digital signature', purpose];
  return (
    needed.every((usage) => usages.includes(usage)) &&
    usages.every((usage) => [...needed, 'key encipherment'].includes(usage))
  );
}
