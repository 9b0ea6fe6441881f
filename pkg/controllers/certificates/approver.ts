/** Upstream's csrapproving controller, with serving certificates of nodes added. */
import type { CertificateSigningRequest, CertificateSigningRequestSpec } from '../../api/generated/certificates-v1.ts';
import { certificateSigningRequests, endpoints, nodes } from '../../api/resources.ts';
import type { Component } from '../../base/component.ts';
import { type CIDR, containsAddress, parseAddress } from '../../base/ip.ts';
import { type ControllerContext, createController, watchOwn } from '../controller.ts';
import { judgeRequest, type RequestFacts } from './judge-request.ts';

export interface ApproverOptions {
  /** Whether the requester of `spec` holds `create` on `certificatesigningrequests/<subresource>`. */
  mayCreate(spec: CertificateSigningRequestSpec, subresource: string): boolean;
  readonly serviceCIDRs: readonly CIDR[];
}

export function createCertificateApprover(context: ControllerContext, options: ApproverOptions): Component {
  const { client, clock } = context;
  const requests = client.informer(certificateSigningRequests);
  const nodeInformer = client.informer(nodes);
  const apiServers = client.informer(endpoints, { namespace: 'default', fieldSelector: 'metadata.name=kubernetes' });

  function ownerOfAddress(text: string, nodeName: string): string | undefined {
    const address = parseAddress(text);
    if (address !== undefined && options.serviceCIDRs.some((cidr) => containsAddress(cidr, address))) {
      return 'an address of Services';
    }
    const other = nodeInformer
      .list()
      .find(
        ({ metadata, status }) =>
          metadata.name !== nodeName && status.addresses?.some((known) => known.address === text) === true,
      );
    if (other !== undefined) return `the address of node ${other.metadata.name}`;
    const subsets = apiServers.get('kubernetes', 'default')?.subsets ?? [];
    const isServer = subsets.some(({ addresses }) => addresses?.some(({ ip }) => ip === text));
    const isItsOwn = nodeInformer.get(nodeName)?.status.addresses?.some(({ address: own }) => own === text) === true;
    return isServer && !isItsOwn ? 'the address of a server' : undefined;
  }

  async function reconcile(name: string): Promise<undefined> {
    const request = requests.get(name);
    if (request === undefined || isJudged(request)) return;
    const facts: RequestFacts = {
      mayCreate: (subresource) => options.mayCreate(request.spec, subresource),
      ownerOfAddress,
    };
    const judgement = judgeRequest(request.spec, facts);
    if (judgement.verdict === 'none') return;
    const { verdict, reason, message } = judgement;
    const condition = {
      type: verdict === 'approve' ? 'Approved' : 'Denied',
      status: 'True',
      reason,
      message,
      lastUpdateTime: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
      lastTransitionTime: null,
    };
    const status = { ...request.status, conditions: [...(request.status?.conditions ?? []), condition] };
    await client.update(certificateSigningRequests, { ...request, status }, { subresource: 'approval' });
  }

  return createController(
    { name: 'certificatesigningrequest-approving-controller', workers: 1, watches: [watchOwn(requests)], reconcile },
    context,
  );
}

function isJudged({ status }: CertificateSigningRequest): boolean {
  return (
    Boolean(status?.certificate) ||
    (status?.conditions ?? []).some(({ type }) => type === 'Approved' || type === 'Denied')
  );
}
