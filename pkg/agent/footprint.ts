import type { TeardownOptions } from './teardown.ts';

/**
 * The names under which kedge appears on a machine, for those who put them there and for `teardown`, which removes
 * them. All are kedge's own, except `cni0` and `kubepods`, which every tool knows the node's bridge and the Pods'
 * cgroup by.
 */
export const FOOTPRINT = {
  networkDevices: ['cni0'],
  cniNetworks: ['kedge'],
  cgroups: ['kubepods'],
  nftTables: [
    { family: 'inet', name: 'kedge' },
    { family: 'ip', name: 'kedge' },
  ],
} as const satisfies Partial<TeardownOptions>;
