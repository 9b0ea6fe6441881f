import { checkPort, nodePreflight, requireRoot } from '../agent/preflight.ts';
import { checkDataDirectory } from '../host/data-directory.ts';
import { ExecError, exec } from '../host/exec.ts';
import { refuseOverlap } from '../network/overlap.ts';
import type { ServerConfig } from './config.ts';

/**
 * Looks whether this machine has what `config` needs, before anything is started or written. Throws OperatorError
 * naming the first thing that is missing and its remedy.
 */
export async function preflight(config: ServerConfig): Promise<void> {
  requireRoot('kedge server');
  await checkDataDirectory(config.dataDir);
  await checkPort(config.bindAddress, config.httpsListenPort, 'give another with --https-listen-port');
  if (!config.disabled.agent) await nodePreflight(config.node);
  const networks = { clusterCIDRs: [config.clusterCIDR], serviceCIDRs: [config.serviceCIDR] };
  try {
    await refuseOverlap(networks, exec);
  } catch (error) {
    // A server without a node can do without iproute2.
    if (!(config.disabled.agent && error instanceof ExecError && error.notFound)) throw error;
  }
}
