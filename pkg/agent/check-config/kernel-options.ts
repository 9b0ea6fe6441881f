/** What kedge asks of a Linux kernel, by the names of its build options. */

export type Need = 'required' | 'recommended';

export interface KernelOption {
  readonly name: string;
  readonly need: Need;
  /** What does not work without it. */
  readonly use: string;
}

const option = (need: Need, use: string, ...names: readonly string[]): readonly KernelOption[] =>
  names.map((name) => ({ name, need, use }));

export const KERNEL_OPTIONS: readonly KernelOption[] = [
  ...option('required', 'containers', 'NAMESPACES', 'NET_NS', 'PID_NS', 'IPC_NS', 'UTS_NS', 'POSIX_MQUEUE', 'KEYS'),
  ...option('required', 'resource limits', 'CGROUPS', 'CGROUP_PIDS', 'MEMCG', 'CGROUP_SCHED', 'FAIR_GROUP_SCHED'),
  ...option('required', 'the network of Pods', 'VETH', 'BRIDGE', 'BRIDGE_NETFILTER'),
  ...option('required', 'Services', 'NF_TABLES', 'NF_CONNTRACK', 'NF_NAT', 'NFT_NAT', 'NFT_MASQ', 'NFT_CT'),
  ...option('recommended', 'CPU limits', 'CFS_BANDWIDTH'),
  ...option('recommended', 'binding containers to processors', 'CPUSETS'),
  ...option('recommended', 'accounting of processor time', 'CGROUP_CPUACCT', 'CGROUP_DEVICE', 'CGROUP_BPF'),
  ...option('recommended', 'images without copying every layer', 'OVERLAY_FS'),
  ...option('recommended', 'a network of several nodes', 'VXLAN'),
  ...option('recommended', 'system call filters of Pods', 'SECCOMP', 'SECCOMP_FILTER'),
  ...option('recommended', 'Services over IPVS', 'IP_VS', 'IP_VS_RR', 'IP_VS_SH', 'IP_VS_NFCT', 'IP_SET', 'DUMMY'),
  ...option('recommended', 'IPVS with port masks', 'IP_SET_HASH_IP', 'IP_SET_HASH_IPPORT', 'IP_SET_BITMAP_PORT'),
  ...option('recommended', "other programs' rules", 'NFT_COMPAT', 'IP_NF_FILTER', 'IP_NF_NAT'),
  ...option('recommended', 'user namespaces of Pods', 'USER_NS'),
];

export type OptionState = 'built in' | 'module' | 'missing';

/** The states of options in the text of a kernel's configuration (`CONFIG_VETH=m`). */
export function parseKernelConfig(text: string): ReadonlyMap<string, OptionState> {
  const states = new Map<string, OptionState>();
  for (const [, name = '', value] of text.matchAll(/^CONFIG_(\w+)=([ym])$/gm)) {
    states.set(name, value === 'y' ? 'built in' : 'module');
  }
  return states;
}
