/** Upstream's csrsigning controllers: certificates for approved requests of kedge's own signers. */
import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';
import { certificateSigningRequests } from '../../api/resources.ts';
import { isConditionTrue } from '../../apimachinery/object-meta.ts';
import { parseSigningRequest, type SigningRequest } from '../../apimachinery/x509/signing-request.ts';
import type { Component } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { type KeyPairPem, signCertificate } from '../../pki/issue.ts';
import { SIGNERS } from '../../registry/certificates/signers.ts';
import { type ControllerContext, createController, watchOwn } from '../controller.ts';

export interface SignerOptions {
  /** The authorities as they are now. */
  authorities(): { readonly client: KeyPairPem; readonly server: KeyPairPem };
  /** The longest that certificates live, in ms. */
  readonly lifetimeMs: number;
}

const SHORTEST_MS = 600_000;
const COMMON_USAGES = ['digital signature', 'key encipherment'];

/** What each signer signs for: the purpose its certificates may have, and whose they are. */
const PURPOSES: Readonly<Record<string, { readonly usage: 'client' | 'server'; readonly ofNode: boolean }>> = {
  [SIGNERS.client]: { usage: 'client', ofNode: false },
  [SIGNERS.kubeletClient]: { usage: 'client', ofNode: true },
  [SIGNERS.kubeletServing]: { usage: 'server', ofNode: true },
};

export function createCertificateSigner(
  context: ControllerContext,
  { authorities, lifetimeMs }: SignerOptions,
): Component {
  const { client, clock } = context;
  const requests = client.informer(certificateSigningRequests);

  async function reconcile(name: string): Promise<undefined> {
    const object = requests.get(name);
    if (object === undefined || !isWaiting(object)) return;
    const { signerName, usages = [], expirationSeconds, request: base64 } = object.spec;
    const purpose = PURPOSES[signerName];
    if (purpose === undefined) return;
    let request: SigningRequest;
    try {
      request = parseSigningRequest(Buffer.from(base64, 'base64').toString('latin1'));
      checkRequest(request, usages, purpose);
    } catch (error) {
      await fail(object, errorText(error));
      return;
    }
    const lifetime = Math.min(Math.max((expirationSeconds ?? Infinity) * 1000, SHORTEST_MS), lifetimeMs);
    const content = {
      ...request,
      usages: [purpose.usage],
      keyEncipherment: usages.includes('key encipherment'),
      // From the authority's own beginning: a board without a clock battery may start in the past.
      notBefore: 0,
      notAfter: clock.now() + lifetime,
    };
    const { client: clientCA, server: serverCA } = authorities();
    const pem = await signCertificate(content, request.publicKey, purpose.usage === 'client' ? clientCA : serverCA);
    const status = { ...object.status, certificate: Buffer.from(pem).toString('base64') };
    await client.update(certificateSigningRequests, { ...object, status }, { subresource: 'status' });
  }

  async function fail(object: CertificateSigningRequest, message: string): Promise<void> {
    const condition = {
      type: 'Failed',
      status: 'True',
      reason: 'SignerValidationFailure',
      message,
      lastUpdateTime: null,
      lastTransitionTime: null,
    };
    const status = { ...object.status, conditions: [...(object.status?.conditions ?? []), condition] };
    await client.update(certificateSigningRequests, { ...object, status }, { subresource: 'status' });
  }

  return createController(
    { name: 'certificatesigningrequest-signing-controller', workers: 1, watches: [watchOwn(requests)], reconcile },
    context,
  );
}

function isWaiting({ status }: CertificateSigningRequest): boolean {
  const has = (type: string): boolean => isConditionTrue(status?.conditions, type);
  return has('Approved') && !has('Denied') && !has('Failed') && !status?.certificate;
}

/** Throws an Error saying why the signer does not sign it. */
function checkRequest(
  request: SigningRequest,
  usages: readonly string[],
  { usage, ofNode }: { readonly usage: 'client' | 'server'; readonly ofNode: boolean },
): void {
  const purpose = `${usage} auth`;
  const bad = usages.find((one) => one !== purpose && !COMMON_USAGES.includes(one));
  if (bad !== undefined || !usages.includes(purpose))
    throw new Error(`usages did not match: "${purpose}" is what this signer signs`);
  if (!ofNode) return;
  if (request.organizations.join() !== 'system:nodes') throw new Error('subject organization is not system:nodes');
  if (!request.commonName.startsWith('system:node:'))
    throw new Error('subject common name does not begin with system:node:');
}
