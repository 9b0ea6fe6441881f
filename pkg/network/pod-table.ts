import type { Pod } from '../api/generated/core-v1.ts';
import type { NftChain, NftSet, NftTable } from '../host/nft-table.ts';
import { POD_TABLE } from './names.ts';

export interface HostPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** The node's address it is bound to; undefined: all of them. */
  readonly hostIP: string | undefined;
  readonly hostPort: number;
  readonly podIP: string;
  readonly containerPort: number;
}

export interface PodTableInput {
  readonly family: 4 | 6;
  /** This node's Pod CIDR. */
  readonly podCIDR: string;
  /** Destinations that see a Pod's own address: the cluster's Pod CIDRs. */
  readonly clusterCIDR: string;
  readonly bridge: string;
  readonly hostPorts: readonly HostPort[];
  /** False when the kernel has no br_netfilter: replies between Pods of the bridge must then come by way of the host. */
  readonly bridgeNetfilter: boolean;
  readonly tableName?: string;
}

const ANY_ADDRESS = new Set(['', '0.0.0.0', '::']);

/** The host ports of the Pods of a node that run; of two Pods that want the same, the older has it. */
export function hostPortsOf(pods: readonly Pod[], family: 4 | 6): HostPort[] {
  const found = new Map<string, HostPort>();
  const running = pods.filter(
    ({ spec, status }) => spec.hostNetwork !== true && status.phase !== 'Succeeded' && status.phase !== 'Failed',
  );
  // By letters' codes: comparing by language would take 5 MB of tables into memory, for good.
  const oldestFirst = running.toSorted((a, b) => (ageOf(a) < ageOf(b) ? -1 : Number(ageOf(a) > ageOf(b))));
  for (const { spec, status } of oldestFirst) {
    const addresses = (status.podIPs ?? []).map(({ ip }) => ip);
    const podIP = [...addresses, status.podIP].find(
      (ip) => ip !== undefined && ip !== '' && ip.includes(':') === (family === 6),
    );
    if (podIP === undefined) continue;
    const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
    for (const port of [...sidecars, ...spec.containers].flatMap(({ ports }) => ports ?? [])) {
      if (port.hostPort === undefined || port.hostPort === 0) continue;
      const hostIP = ANY_ADDRESS.has(port.hostIP ?? '') ? undefined : port.hostIP;
      if (hostIP !== undefined && hostIP.includes(':') !== (family === 6)) continue;
      const protocol = protocolOf(port.protocol);
      const { hostPort, containerPort } = port;
      const key = `${hostIP} ${protocol} ${hostPort}`;
      if (!found.has(key)) found.set(key, { protocol, hostIP, hostPort, podIP, containerPort });
    }
  }
  return [...found.values()];
}

function ageOf({ metadata }: Pod): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.uid ?? ''}`;
}

export function protocolOf(text: string | undefined): HostPort['protocol'] {
  return text === 'UDP' ? 'udp' : text === 'SCTP' ? 'sctp' : 'tcp';
}

/**
 * The table of Pod traffic, independent of which Service proxy runs: Pods reach the world with their node's address,
 * and host ports (CNI's portmap) lead to Pods. The world sees its own address arrive; only a Pod that calls itself and
 * the host's loopback are masqueraded.
 */
export function planPodTable(input: PodTableInput): NftTable {
  const address = input.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  const ip = input.family === 4 ? 'ip' : 'ip6';
  const [loopback, multicast] = input.family === 4 ? ['127.0.0.0/8', '224.0.0.0/4'] : ['::1', 'ff00::/8'];
  const any = new Map<string, string>();
  const bound = new Map<string, string>();
  const own = new Map<string, string>();
  for (const { protocol, hostIP, hostPort, podIP, containerPort } of input.hostPorts) {
    const target = `${podIP} . ${containerPort}`;
    if (hostIP === undefined) any.set(`${protocol} . ${hostPort}`, target);
    else bound.set(`${hostIP} . ${protocol} . ${hostPort}`, target);
    own.set(`${podIP} . ${podIP}`, '');
  }
  const sets = new Map<string, NftSet>([
    [
      'host-ip-ports',
      { kind: 'map', type: `${address} . inet_proto . inet_service : ${address} . inet_service`, elements: bound },
    ],
    ['host-ports', { kind: 'map', type: `inet_proto . inet_service : ${address} . inet_service`, elements: any }],
    ['host-port-pods', { kind: 'set', type: `${address} . ${address}`, elements: own }],
  ]);
  const toHostPort = [
    `dnat ${ip} to ${ip} daddr . meta l4proto . th dport map @host-ip-ports`,
    `fib daddr type local dnat ${ip} to meta l4proto . th dport map @host-ports`,
  ];
  const postrouting = [
    `${ip} saddr . ${ip} daddr @host-port-pods masquerade`,
    // Only address translation sends a loopback source out of another device.
    `oifname "${input.bridge}" ${ip} saddr ${loopback} masquerade`,
    ...(input.bridgeNetfilter
      ? []
      : [
          `oifname "${input.bridge}" ${ip} saddr ${input.podCIDR} ct original ${ip} daddr != ${input.podCIDR} masquerade`,
        ]),
    `${ip} saddr ${input.podCIDR} ${ip} daddr != { ${input.clusterCIDR}, ${multicast} } masquerade`,
  ];
  const chains = new Map<string, NftChain>([
    ['host-ports', { rules: toHostPort }],
    ['prerouting', { hook: 'type nat hook prerouting priority dstnat; policy accept;', rules: ['jump host-ports'] }],
    ['output', { hook: 'type nat hook output priority -100; policy accept;', rules: ['jump host-ports'] }],
    ['postrouting', { hook: 'type nat hook postrouting priority srcnat; policy accept;', rules: postrouting }],
    ['guard', guardChain(ip, loopback)],
  ]);
  return { family: ip, name: input.tableName ?? POD_TABLE, sets, chains };
}

/**
 * `route_localnet` on kedge's devices lets the host's 127.0.0.1 reach node ports and host ports, and would let Pods reach
 * services of the host that listen on loopback only: what arrives for it from outside is dropped, as upstream does.
 */
function guardChain(ip: string, loopback: string): NftChain {
  return {
    hook: 'type filter hook prerouting priority raw; policy accept;',
    rules: [`iifname != "lo" ${ip} daddr ${loopback} drop`],
  };
}
