import { namespaces } from '../../api/resources.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Store } from '../storage/store.ts';
import { type AdmissionPlugin, refuseUnnamed } from './admission.ts';

/** Namespaces that can never be deleted. */
const IMMORTAL: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);

/** Upstream's NamespaceLifecycle: nothing is created in a namespace that is missing or going away. */
export function namespaceLifecycle(store: Store): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    mutate(attributes) {
      const { descriptor, operation, namespace } = attributes;
      const { type } = descriptor;
      if (operation !== 'CREATE' || namespace === undefined || !type.namespaced) return;
      const found = store.get(namespaces, namespace)?.object;
      if (found === undefined) throw statusErrors.notFound(namespaces, namespace);
      if (found.metadata.deletionTimestamp === undefined) return;
      const message = `unable to create new content in namespace ${namespace} because it is being terminated`;
      const error = refuseUnnamed(attributes, message);
      const causes = [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ];
      throw statusErrors.custom(403, 'Forbidden', error.message, { ...error.status.details, causes });
    },
    validate({ descriptor, operation, object }) {
      if (operation !== 'DELETE' || descriptor.type.kind !== 'Namespace' || descriptor.type.group !== '') return;
      const { name } = object.metadata;
      if (IMMORTAL.has(name)) throw statusErrors.forbidden(namespaces, name, 'this namespace may not be deleted');
    },
  };
}
