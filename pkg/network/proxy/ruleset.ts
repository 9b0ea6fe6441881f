/** What Services ask of a node's packet path, in terms every actor (nftables, IPVS) can carry out. */

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
  /** Whether it runs on this node. */
  readonly local: boolean;
}

/** Where requests go; without endpoints they are refused (`reject`) or, where others may serve them, dropped. */
export interface Backends {
  readonly endpoints: readonly ServiceEndpoint[];
  readonly otherwise: 'reject' | 'drop';
}

export interface ExternalAddress {
  readonly address: string;
  /** CIDRs that may use it; undefined: everybody. */
  readonly allowedSources: readonly string[] | undefined;
}

/** One port of one Service. */
export interface VirtualService {
  /** `namespace/name/protocol/port`: stands for the same thing from one ruleset to the next. */
  readonly key: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** Undefined when the node serves the address itself (cluster DNS). */
  readonly clusterIP: string | undefined;
  /** `externalIPs` and load balancer addresses. */
  readonly externalAddresses: readonly ExternalAddress[];
  /** Listens on every address of the node. */
  readonly nodePort: number | undefined;
  /** For requests to the cluster IP. */
  readonly internal: Backends;
  /** For requests from outside to node ports and external addresses. */
  readonly external: Backends;
  /**
   * externalTrafficPolicy Local: requests from outside keep their source address and stay on this node; Pods and the
   * node itself may use every endpoint all the same. Otherwise requests from outside are masqueraded.
   */
  readonly externalLocal: boolean;
  /** Every usable endpoint of the cluster, whatever the policies say. */
  readonly cluster: readonly ServiceEndpoint[];
  /** Seconds a client stays with its endpoint; undefined: no affinity. */
  readonly affinitySeconds: number | undefined;
}

export interface Ruleset {
  readonly family: 4 | 6;
  /** Sources whose requests to a cluster IP are not masqueraded. */
  readonly clusterCIDR: string;
  /** Where cluster IPs come from; what is asked of an address in it that nobody serves is refused. */
  readonly serviceCIDR: string;
  readonly services: readonly VirtualService[];
}

/** Whether two lists hold the same objects, not only equal ones. */
export function sameItems(a: readonly object[], b: readonly object[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]));
}
