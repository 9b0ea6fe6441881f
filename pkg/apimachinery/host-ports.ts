/** The ports that Pods take on the node's own addresses. */
import type { Pod } from '../api/generated/core-v1.ts';

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

const ANY = '0.0.0.0';

/** What is said of a node where a wanted port is taken. */
export const PORTS_TAKEN = "node(s) didn't have free ports for the requested pod ports";

/** The host ports of `pod`, of its containers and sidecars. */
export function hostPortsOf(pod: Pod): HostPort[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...pod.spec.containers, ...sidecars].flatMap(({ ports }) =>
    (ports ?? [])
      .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
      .map(({ hostIP, protocol, hostPort }) => ({
        ip: hostIP || ANY,
        protocol: protocol ?? 'TCP',
        port: hostPort ?? 0,
      })),
  );
}

/** Whether two cannot be taken at once: the same port on the same address, or on all addresses. */
export function portsConflict(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === ANY || b.ip === ANY);
}
