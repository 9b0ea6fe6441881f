import type { Store } from '../storage/store.ts';
import { AdmissionChain } from './admission.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { defaultTolerationSeconds, priorityAdmission } from './pod-defaults.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { ServiceAllocation, type ServiceAllocationOptions } from './service-allocation.ts';

/** The plugins that are on by default, in upstream's order. */
export function defaultAdmission(store: Store, options: ServiceAllocationOptions): AdmissionChain {
  return new AdmissionChain([
    namespaceLifecycle(store),
    serviceAccountAdmission(store),
    defaultTolerationSeconds,
    priorityAdmission(store),
    new ServiceAllocation(store, options),
  ]);
}
