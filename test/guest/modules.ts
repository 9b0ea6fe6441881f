/** What a node's network needs of the guest's kernel; where there is a module loader, much of it comes by itself. */
const NODE_MODULES = ['veth', 'bridge', 'br_netfilter', 'overlay', 'vxlan', 'nf_conntrack_netlink'];

/** The same, and what the IPVS form of the Service proxy needs. */
export const IPVS_MODULES: readonly string[] = [
  ...NODE_MODULES,
  ...['ip_vs', 'ip_vs_rr'],
  ...['ip_set', 'ip_set_hash_ip', 'ip_set_hash_ipport', 'ip_set_hash_ipportip', 'ip_set_hash_ipportnet', 'xt_set'],
  ...['iptable_nat', 'iptable_mangle', 'iptable_filter', 'ipt_REJECT', 'xt_MASQUERADE', 'xt_nat'],
  ...['xt_conntrack', 'xt_addrtype', 'xt_mark', 'xt_comment', 'xt_statistic', 'xt_recent', 'xt_tcpudp'],
];
