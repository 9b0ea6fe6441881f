import type { CertificateSigningRequest } from '../../api/generated/certificates-v1.ts';
import { certificateSigningRequests } from '../../api/resources.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { isConditionTrue } from '../../apimachinery/object-meta.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { parseSigningRequest } from '../../apimachinery/x509/signing-request.ts';
import { SIGNERS } from '../../registry/certificates/signers.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import { SYSTEM_MASTERS } from '../authn/user.ts';
import type { Authorizer } from '../authz/attributes.ts';
import type { AdmissionPlugin } from './admission.ts';

/** Whether `user` may do `verb` with the signer, by its name or by all names of its domain. */
function mayUse(authorizer: Authorizer, user: UserInfo, verb: string, signerName: string): boolean {
  const all = `${signerName.split('/')[0]}/*`;
  return [signerName, all].some(
    (name) =>
      authorizer.authorize({
        user,
        verb,
        apiGroup: 'certificates.k8s.io',
        apiVersion: '*',
        resource: 'signers',
        subresource: '',
        namespace: '',
        name,
      }).decision === 'allow',
  );
}

/**
 * Upstream's CertificateApproval, CertificateSigning and CertificateSubjectRestriction: who may approve and sign
 * depends on the signer, and nobody gets a client certificate of system:masters this way.
 */
export function certificateAdmission(authorizer: Authorizer): AdmissionPlugin {
  return {
    name: 'Certificates',
    validate({ descriptor, operation, subresource, object, old, user }) {
      if (descriptor.type !== certificateSigningRequests) return;
      const request = object as CertificateSigningRequest;
      const { signerName } = request.spec;
      const refuse = (text: string): Error => statusErrors.forbidden(descriptor.type, object.metadata.name, text);
      if (operation === 'CREATE' && signerName === SIGNERS.client) {
        const pem = Buffer.from(request.spec.request, 'base64').toString('latin1');
        if (parseSigningRequest(pem).organizations.includes(SYSTEM_MASTERS)) {
          throw refuse(`use of ${signerName} signer with ${SYSTEM_MASTERS} group is not allowed`);
        }
      }
      if (operation !== 'UPDATE') return;
      if (subresource === 'approval' && !mayUse(authorizer, user, 'approve', signerName)) {
        throw refuse(`user not permitted to approve requests with signerName "${signerName}"`);
      }
      if (subresource === 'status' && isSigned(request, old as CertificateSigningRequest)) {
        if (mayUse(authorizer, user, 'sign', signerName)) return;
        throw refuse(`user not permitted to sign requests with signerName "${signerName}"`);
      }
    },
  };
}

function isSigned({ status }: CertificateSigningRequest, old: CertificateSigningRequest): boolean {
  const failed = (conditions: typeof status.conditions): boolean => isConditionTrue(conditions, 'Failed');
  return (
    !semanticEqual(status?.certificate, old.status?.certificate) ||
    failed(status?.conditions) !== failed(old.status?.conditions)
  );
}
