import { hostname } from 'node:os';
import { z } from 'zod';
import type { NodeConfig } from '../../pkg/agent/config.ts';
import { OperatorError } from '../../pkg/base/component.ts';
import { PROXY_MODES } from '../../pkg/network/proxy/service-actor.ts';
import * as value from './values.ts';

/** How the flags of a node are read. */
export const NODE_SCHEMA = {
  'flannel-iface': value.networkDevice.optional(),
  'proxy-mode': value.oneOf('auto', ...PROXY_MODES),
  'node-name': value.domainName.optional(),
  'node-label': z.array(value.nodeLabel).default([]),
  'node-taint': z.array(value.nodeTaint).default([]),
  'node-ip': value.ipAddress.optional(),
  'node-external-ip': value.ipAddress.optional(),
  'resolv-conf': value.existingFile.optional(),
  'container-runtime-endpoint': value.runtimeSocket.optional(),
  'pause-image': z.string().min(1, 'is empty').optional(),
  snapshotter: value.oneOf('overlayfs', 'native'),
};

type NodeValues = z.output<z.ZodObject<typeof NODE_SCHEMA>>;

/** What the node part is told. Throws OperatorError when the host has no name that a node could have. */
export function nodeConfig(values: NodeValues): NodeConfig {
  return {
    name: values['node-name'] ?? nameOfHost(),
    labels: Object.fromEntries(values['node-label'].map(({ key, value: text }) => [key, text])),
    taints: values['node-taint'],
    ip: values['node-ip'],
    externalIP: values['node-external-ip'],
    flannelIface: values['flannel-iface'],
    proxyMode: values['proxy-mode'],
    containerRuntimeSocket: values['container-runtime-endpoint'],
    resolvConf: values['resolv-conf'],
    pauseImage: values['pause-image'],
    snapshotter: values.snapshotter,
  };
}

function nameOfHost(): string {
  const name = hostname().toLowerCase();
  if (!value.domainName.safeParse(name).success) {
    throw new OperatorError(`the host name "${name}" cannot be a node's name: give one with --node-name`);
  }
  return name;
}
