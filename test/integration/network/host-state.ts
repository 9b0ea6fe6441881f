import { ExecError } from '../../../pkg/host/exec.ts';
import type { RunProgram } from '../../../pkg/host/nft.ts';
import { IPVS_DEVICE } from '../../../pkg/network/names.ts';
import type { ProxyMode } from '../../../pkg/network/proxy/service-actor.ts';

/** What the Service proxy put on a host, looked at and spoiled by hand. */
export interface HostState {
  /** Adds things that a former version may have left, one of them named `stale`. */
  strange(): Promise<void>;
  /** Removes everything, as a careless administrator does. */
  flush(): Promise<void>;
  /** Rules, devices, sets and virtual servers; '' when there are none. */
  everything(): Promise<string>;
}

export function hostState(mode: ProxyMode, { run }: { readonly run: RunProgram }, tableName: string): HostState {
  if (mode === 'nftables') {
    return {
      strange: async () => {
        await run(['nft', 'add', 'chain', 'ip', tableName, 'stale']);
      },
      flush: async () => {
        await run(['nft', 'flush', 'ruleset']);
      },
      everything: async () => (await run(['nft', 'list', 'ruleset'])).trim(),
    };
  }
  return {
    async strange() {
      await run(['iptables-legacy', '-t', 'nat', '-N', 'KEDGE-IPVS-stale']);
      await run(['iptables-legacy', '-t', 'nat', '-I', 'OUTPUT', '-j', 'KEDGE-IPVS-stale']);
      await run(['ipvsadm', '-A', '-t', '10.243.0.99:9999', '-s', 'rr']);
      await run(['ipset', 'add', 'KEDGE-IPVS-REFUSED', '10.243.0.98,tcp:9999']);
    },
    async flush() {
      await run(['ipvsadm', '-C']);
      for (const table of ['nat', 'filter', 'mangle']) {
        await run(['iptables-legacy', '-t', table, '-F']);
        await run(['iptables-legacy', '-t', table, '-X']);
      }
      for (const name of (await run(['ipset', 'list', '-name'])).trim().split('\n'))
        await run(['ipset', 'destroy', name]);
      await run(['ip', 'link', 'delete', IPVS_DEVICE]);
    },
    async everything() {
      const found: string[] = [];
      for (const table of ['nat', 'filter', 'mangle']) {
        const rules = (await run(['iptables-legacy', '-t', table, '-S'])).split('\n');
        found.push(...rules.filter((rule) => rule !== '' && !rule.startsWith('-P')));
      }
      for (const argv of [
        ['ipvsadm', '-Sn'],
        ['ipset', 'save'],
        ['ip', 'route', 'show', 'table', '27500'],
      ] as const) {
        found.push((await orNothing(run(argv))).trim());
      }
      found.push(...(await run(['ip', '-o', 'link'])).split('\n').filter((line) => line.includes('kube-')));
      found.push(...(await run(['ip', 'rule'])).split('\n').filter((line) => line.includes('fwmark')));
      return found.filter((text) => text !== '').join('\n');
    },
  };
}

/** `ip route show` fails for a table that never had a route. */
async function orNothing(output: Promise<string>): Promise<string> {
  try {
    return await output;
  } catch (error) {
    if (error instanceof ExecError) return '';
    throw error;
  }
}
