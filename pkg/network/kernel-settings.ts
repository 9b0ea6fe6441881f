import { OperatorError } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { exec } from '../host/exec.ts';
import { readSysctl, writeSysctl } from '../host/sysctl.ts';

export interface KernelSetting {
  readonly name: string;
  readonly value: string;
  /** Whether Pods cannot work without it. */
  readonly required: boolean;
}

/** Upstream kube-proxy's floor and its entries per core. */
const CONNTRACK_FLOOR = 131_072;
const CONNTRACK_PER_CORE = 32_768;
const BRIDGE_NETFILTER = 'net/bridge/bridge-nf-call-iptables';
const CONNTRACK_MAX = 'net/netfilter/nf_conntrack_max';

/**
 * What to set, given what is set (`undefined`: this kernel has no such setting). Settings that already serve are left
 * alone; limits are only raised. Reverse path filtering needs no change: every Pod's route leads back through the
 * interface its packets come from.
 */
export function planKernelSettings(
  current: (name: string) => string | undefined,
  facts: { readonly cores: number; readonly ipv6: boolean },
): KernelSetting[] {
  const wanted: KernelSetting[] = [
    { name: 'net/ipv4/ip_forward', value: '1', required: true },
    ...(facts.ipv6 ? [{ name: 'net/ipv6/conf/all/forwarding', value: '1', required: true }] : []),
    // Replies between Pods of one bridge have to pass the Service proxy's address translation on their way back.
    { name: BRIDGE_NETFILTER, value: '1', required: false },
    { name: 'net/bridge/bridge-nf-call-ip6tables', value: '1', required: false },
  ];
  const plan = wanted.filter(({ name, value, required }) => {
    const now = current(name);
    return now === undefined ? required : now !== value;
  });
  const conntrack = Math.max(CONNTRACK_FLOOR, facts.cores * CONNTRACK_PER_CORE);
  const limit = current(CONNTRACK_MAX);
  if (limit !== undefined && Number(limit) < conntrack) {
    plan.push({ name: CONNTRACK_MAX, value: String(conntrack), required: false });
  }
  return plan;
}

const LOOKED_AT = [
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
  BRIDGE_NETFILTER,
  'net/bridge/bridge-nf-call-ip6tables',
  CONNTRACK_MAX,
];

/**
 * Makes this machine route for Pods. Resolves to whether packets crossing a bridge are seen by the firewall
 * (br_netfilter). Throws OperatorError when a setting Pods cannot do without is refused.
 */
export async function applyKernelSettings(
  facts: { readonly cores: number; readonly ipv6: boolean },
  log: Logger,
): Promise<{ bridgeNetfilter: boolean }> {
  if ((await readSysctl(BRIDGE_NETFILTER)) === undefined) {
    try {
      await exec(['modprobe', 'br_netfilter']);
    } catch (error) {
      log.debug('br_netfilter could not be loaded', { error: errorText(error) });
    }
  }
  const current = new Map<string, string | undefined>();
  for (const name of LOOKED_AT) current.set(name, await readSysctl(name));
  for (const { name, value, required } of planKernelSettings((key) => current.get(key), facts)) {
    try {
      await writeSysctl(name, value);
    } catch (error) {
      const text = `kernel setting ${name.replaceAll('/', '.')} could not be set to ${value}: ${errorText(error)}`;
      if (required) throw new OperatorError(`${text}: set it on the host with sysctl`);
      log.warn(text);
    }
  }
  const bridgeNetfilter = (await readSysctl(BRIDGE_NETFILTER)) === '1';
  if (!bridgeNetfilter) {
    log.warn('kernel has no br_netfilter: Pods see their node as the source of requests through a Service');
  }
  return { bridgeNetfilter };
}
