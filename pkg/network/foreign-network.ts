import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Component } from '../base/component.ts';
import type { Logger } from '../base/log.ts';
import { exec } from '../host/exec.ts';
import { NftTableKeeper } from '../host/nft.ts';
import { readLinks } from './flannel/links.ts';
import { ROUTE_PROTOCOL } from './flannel/plan-changes.ts';
import { applyKernelSettings } from './kernel-settings.ts';
import { CNI_CONFIG_FILE, HOST_CNI_DIR, POD_TABLE, VXLAN_DEVICE } from './names.ts';

/**
 * The node's side of `--flannel-backend=none`: somebody else brings the network of Pods (Calico, Cilium). The machine
 * routes, and what an earlier start with another backend set up is out of the way.
 */
export function createForeignNetwork(options: {
  readonly clusterCIDRs: readonly string[];
  readonly log: Logger;
}): Component {
  return {
    name: 'foreign-network',
    async start() {
      const ipv6 = options.clusterCIDRs.some((cidr) => cidr.includes(':'));
      await applyKernelSettings({ cores: availableParallelism(), ipv6 }, options.log.child('pod-network'));
      await rm(join(HOST_CNI_DIR, CNI_CONFIG_FILE), { force: true });
      await exec(['ip', '-4', 'route', 'flush', 'proto', ROUTE_PROTOCOL]);
      const links = await readLinks(exec);
      const own = links.find(({ ifname, linkinfo }) => ifname === VXLAN_DEVICE && linkinfo?.info_kind === 'vxlan');
      // Upstream's flannel, installed by the operator, uses the same name: its device has no routes of ours, but others.
      if (own !== undefined && !(await hasRoutes(VXLAN_DEVICE))) await exec(['ip', 'link', 'delete', VXLAN_DEVICE]);
      await new NftTableKeeper('ip', POD_TABLE, exec).remove();
    },
    ready: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}

async function hasRoutes(device: string): Promise<boolean> {
  return (await exec(['ip', '-4', 'route', 'show', 'dev', device])).trim() !== '';
}
