import type { ExecOptions } from '../../../pkg/host/exec.ts';
import type { RunProgram } from '../../../pkg/host/nft.ts';
import type { Sysctl } from '../../../pkg/host/sysctl.ts';
import { IPVS_DEVICE } from '../../../pkg/network/names.ts';
import type { ProxyHost } from '../../../pkg/network/proxy/proxy.ts';

/**
 * A host whose kernel seems to have IPVS: virtual servers are only remembered, and the dummy device is a bridge. Sets,
 * rules, routes and all else are the kernel's. For what has to be seen on kernels without IPVS as well; packets through
 * virtual servers need the guest.
 */
export class IpvsStandIn implements ProxyHost {
  readonly #host: ProxyHost;
  readonly #settings = new Map<string, string>();
  /** Real servers by virtual server: `-t 10.43.0.1:443`. */
  readonly servers = new Map<string, Set<string>>();
  readonly run: RunProgram;
  readonly sysctl: Sysctl;

  constructor(host: ProxyHost) {
    this.#host = host;
    this.run = (argv, options) => this.#run(argv, options);
    this.sysctl = {
      read: (name) => (isIpvs(name) ? Promise.resolve(this.#settings.get(name) ?? '0') : host.sysctl.read(name)),
      write: async (name, value) => {
        if (isIpvs(name)) this.#settings.set(name, value);
        else await host.sysctl.write(name, value);
      },
    };
  }

  localAddresses(): Promise<readonly string[]> {
    return this.#host.localAddresses();
  }

  async #run(argv: readonly [string, ...string[]], options?: ExecOptions): Promise<string> {
    const command = argv.join(' ');
    if (argv[0] === 'modprobe') return '';
    if (command === 'cat /proc/net/ip_vs') return this.#listing();
    if (argv[0] === 'ipvsadm') {
      if (command === 'ipvsadm -R') for (const line of String(options?.input).trim().split('\n')) this.#change(line);
      return '';
    }
    if (command === `ip link add ${IPVS_DEVICE} type dummy`) {
      return this.#host.run(['ip', 'link', 'add', IPVS_DEVICE, 'type', 'bridge']);
    }
    return this.#host.run(argv, options);
  }

  #change(line: string): void {
    const [action, ...words] = line.split(' ');
    const key = words.slice(0, 2).join(' ');
    const real = words[words.indexOf('-r') + 1] ?? '';
    const servers = this.servers.get(key);
    if (action === '-A' && servers === undefined) this.servers.set(key, new Set());
    else if (action === '-D' && servers !== undefined) this.servers.delete(key);
    else if (action === '-a' && servers !== undefined) servers.add(real);
    else if (action === '-d' && servers?.delete(real) === true) return;
    else if (!/^-[eE]$/.test(action ?? '') || servers === undefined) throw new Error(`ipvsadm would refuse: ${line}`);
  }

  /** As the kernel writes it. */
  #listing(): string {
    const lines = [...this.servers].flatMap(([key, reals]) => {
      const [option = '', address = ''] = key.split(' ');
      const protocol = { '-t': 'TCP', '-u': 'UDP' }[option] ?? 'SCTP';
      return [
        `${protocol}  ${inHex(address)} rr`,
        ...[...reals].map((real) => `  -> ${inHex(real)}      Masq    1      0          0`),
      ];
    });
    return `${lines.join('\n')}\n`;
  }
}

function isIpvs(setting: string): boolean {
  return setting.startsWith('net/ipv4/vs/');
}

function inHex(text: string): string {
  const [address = '', port = ''] = text.split(':');
  const hex = (value: string, length: number): string => Number(value).toString(16).toUpperCase().padStart(length, '0');
  const bytes = address.split('.').map((byte) => hex(byte, 2));
  return `${bytes.join('')}:${hex(port, 4)}`;
}
