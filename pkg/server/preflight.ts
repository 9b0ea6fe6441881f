import { checkPort, nodePreflight, requireRoot } from '../agent/preflight.ts';
import { exec } from '../host/exec.ts';
import { refuseOverlap } from '../network/overlap.ts';
import type { ServerConfig } from './config.ts';

/**
 * Looks whether this machine has what `config` needs, before anything is started or written. Throws OperatorError
 * naming the first thing that is missing and its remedy.
 */
export async function preflight(config: ServerConfig): Promise<void> {
  requireRoot('kedge server');
  await checkPort(config.bindAddress, config.httpsListenPort, 'give another with --https-listen-port');
  if (config.disabled.agent) return;
  await nodePreflight(config.node);
  await refuseOverlap({ clusterCIDRs: [config.clusterCIDR], serviceCIDRs: [config.serviceCIDR] }, exec);
}
