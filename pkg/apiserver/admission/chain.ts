import type { Authorization } from '../authz/authorization.ts';
import type { Store } from '../storage/store.ts';
import { AdmissionChain } from './admission.ts';
import { certificateAdmission } from './certificates.ts';
import { claimResize } from './claim-resize.ts';
import { defaultIngressClass, defaultStorageClass, storageProtection } from './defaults.ts';
import { deviceAdminAccess } from './device-admin-access.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { defaultTolerationSeconds, priorityAdmission } from './pod-defaults.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { type ResourceQuotaOptions, resourceQuotaAdmission } from './resource-quota.ts';
import { roleEscalation } from './role-escalation.ts';
import { runtimeClassAdmission } from './runtime-class.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { ServiceAllocation, type ServiceAllocationOptions } from './service-allocation.ts';
import { taintNodesByCondition } from './taint-nodes.ts';

export interface AdmissionOptions extends ServiceAllocationOptions, ResourceQuotaOptions {
  readonly authorization: Authorization;
  /** The node that runs in this process, if any. */
  readonly ownNode: string | undefined;
}

/** The plugins that are on by default, in upstream's order. */
export function defaultAdmission(store: Store, options: AdmissionOptions): AdmissionChain {
  return new AdmissionChain([
    namespaceLifecycle(store),
    limitRanger(store),
    serviceAccountAdmission(store),
    taintNodesByCondition,
    priorityAdmission(store),
    defaultTolerationSeconds,
    defaultStorageClass(store),
    storageProtection,
    claimResize(store),
    runtimeClassAdmission(store),
    defaultIngressClass(store),
    podTopologyLabels(store),
    deviceAdminAccess(store),
    new ServiceAllocation(store, options),
    nodeRestriction(store, options.ownNode),
    certificateAdmission(options.authorization.authorizer),
    roleEscalation(options.authorization),
    // Last: what it notes as used should not be refused after it.
    resourceQuotaAdmission(store, options),
  ]);
}
