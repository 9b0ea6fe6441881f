import type { Logger } from '../base/log.ts';
import { exec } from '../host/exec.ts';
import { KUBEPODS } from '../kubelet/cgroup-resources.ts';
import { NETWORK_LEFTOVERS, removeNetworkTraces } from '../network/teardown.ts';
import { teardown } from './teardown.ts';

/**
 * Removes everything that runs or was set up by a kedge of `dataDir` and outlives it: Pods, containerd, mounts, cgroups,
 * network devices and namespaces, addresses, firewall rules, the run directory. The data stays. kedge itself must have
 * ended. Throws AggregateError when something could not be removed, after having tried all.
 */
export async function removeNode(dataDir: string, log: Logger): Promise<void> {
  try {
    await teardown({ dataDir, log, cgroups: [KUBEPODS.slice(1)], ...NETWORK_LEFTOVERS });
  } finally {
    await removeNetworkTraces(exec);
  }
}
