import type { CIDR } from '../../base/ip.ts';
import type { Store } from '../storage/store.ts';
import { AdmissionChain } from './admission.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { defaultTolerationSeconds, priorityAdmission } from './pod-defaults.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { ServiceAllocation } from './service-allocation.ts';

export interface AdmissionOptions {
  readonly serviceCIDR: CIDR;
  readonly nodePorts: { readonly first: number; readonly last: number };
  readonly random: () => number;
}

/** The plugins that are on by default, in upstream's order. */
export function defaultAdmission(store: Store, options: AdmissionOptions): AdmissionChain {
  return new AdmissionChain([
    namespaceLifecycle(store),
    serviceAccountAdmission(store),
    defaultTolerationSeconds,
    priorityAdmission(store),
    new ServiceAllocation(store, options),
  ]);
}
