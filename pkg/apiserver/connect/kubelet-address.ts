import type { Node } from '../../api/generated/core-v1.ts';

const KUBELET_PORT = 10250;

/** `host:port` of a node's kubelet; undefined while the node has no address. */
export function kubeletAddress({ status }: Node): string | undefined {
  const address = status.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  if (address === undefined) return undefined;
  const port = status.daemonEndpoints?.kubeletEndpoint?.Port ?? KUBELET_PORT;
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
