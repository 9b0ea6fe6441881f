import type { RunProgram } from '../../../pkg/host/nft.ts';
import { IPVS_DEVICE } from '../../../pkg/network/names.ts';
import type { ProxyHost } from '../../../pkg/network/proxy/proxy.ts';

/** A node in a network namespace, which `run` runs programs in, as its Service proxy sees it. */
export function proxyHost(run: RunProgram): ProxyHost {
  return {
    run,
    sysctl: {
      read: async (name) => (await run(['sysctl', '-n', name])).trim(),
      write: async (name, value) => {
        await run(['sysctl', '-qw', `${name}=${value}`]);
      },
    },
    async localAddresses() {
      const links = JSON.parse(await run(['ip', '-json', 'address'])) as {
        ifname: string;
        addr_info: { local: string }[];
      }[];
      return links
        .filter(({ ifname }) => ifname !== IPVS_DEVICE)
        .flatMap(({ addr_info }) => addr_info.map(({ local }) => local));
    },
  };
}
