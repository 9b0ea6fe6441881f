/** Names of what kedge's network puts on a host. Everything here is removed again by teardown. */

/** The bridge Pods are attached to. */
export const BRIDGE = 'cni0';
/** The VXLAN device to other nodes: upstream flannel's name for VNI 1. */
export const VXLAN_DEVICE = 'flannel.1';
/** The CNI network's name: host-local keeps leases and libcni caches results under it. */
export const CNI_NETWORK = 'kedge';
export const CNI_CONFIG_FILE = '10-kedge.conflist';
/** The Service proxy's nft tables, one per address family. */
export const PROXY_TABLE = 'kedge-proxy';
/** The device to which the Service CIDR is routed in IPVS mode; upstream's name. */
export const IPVS_DEVICE = 'kube-ipvs0';
/** What names of IPVS mode's chains of iptables and sets of ipset begin with. */
export const IPVS_CHAIN_PREFIX = 'KEDGE-IPVS-';
export const IPVS_SET_PREFIX = 'KEDGE-IPVS-';
/** The nft table of Pod traffic: masquerade and host ports. */
export const POD_TABLE = 'kedge-pods';
/** Label of the address on `lo` at which the cluster DNS answers. */
export const DNS_ADDRESS_LABEL = 'lo:kedge-dns';
/** Comment of the rules put into the host's own iptables FORWARD chain. */
export const FORWARD_COMMENT = 'kedge pods';

/** Where every container runtime but kedge's own looks for CNI configurations. */
export const HOST_CNI_DIR = '/etc/cni/net.d';
/** Where other CNI networks (Calico, Cilium) put their plugins. */
export const HOST_CNI_BIN_DIR = '/opt/cni/bin';
