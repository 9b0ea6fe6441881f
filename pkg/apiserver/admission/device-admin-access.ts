import type { ResourceClaim, ResourceClaimTemplate } from '../../api/generated/resource-v1.ts';
import { namespaces, resourceClaims, resourceClaimTemplates } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

const LABEL = 'resource.kubernetes.io/admin-access';

/** Upstream's rule of KEP-5018: devices that others use are given only in namespaces whose administrator says so. */
export function deviceAdminAccess(store: Store): AdmissionPlugin {
  return {
    name: 'DeviceAdminAccess',
    validate(attributes) {
      const path = askedFor(attributes);
      if (path === undefined) return;
      const { descriptor, namespace = '', object } = attributes;
      if (store.get(namespaces, namespace)?.object.metadata.labels?.[LABEL] === 'true') return;
      const text = `admin access to devices requires the \`${LABEL}: true\` label on the containing namespace`;
      throw statusErrors.invalid(descriptor.type, object.metadata.name, [fieldError.forbidden(path, text)]);
    },
  };
}

/** Where the write asks for such access anew; specs never change, nor does what was once allocated. */
function askedFor({ descriptor, operation, subresource, object, old }: AdmissionAttributes): string | undefined {
  if (descriptor.type === resourceClaims && subresource === 'status') {
    const index = allocated(object as ResourceClaim);
    if (index < 0 || (old !== undefined && allocated(old as ResourceClaim) >= 0)) return undefined;
    return `status.allocation.devices.results[${index}].adminAccess`;
  }
  if (operation !== 'CREATE' || subresource !== undefined) return undefined;
  const spec =
    descriptor.type === resourceClaims
      ? (object as ResourceClaim).spec
      : descriptor.type === resourceClaimTemplates
        ? (object as ResourceClaimTemplate).spec.spec
        : undefined;
  const index = (spec?.devices?.requests ?? []).findIndex(({ exactly }) => exactly?.adminAccess === true);
  return index < 0 ? undefined : `spec.devices.requests[${index}].adminAccess`;
}

const allocated = ({ status }: ResourceClaim): number =>
  (status?.allocation?.devices?.results ?? []).findIndex(({ adminAccess }) => adminAccess === true);
