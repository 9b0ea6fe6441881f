import type { RunProgram } from '../../host/nft.ts';

/** A network device as `ip -json -details address show` prints it. */
export interface Link {
  readonly ifname: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly address?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: {
      readonly id?: number;
      readonly local?: string;
      readonly link?: string;
      readonly port?: number;
      readonly learning?: boolean;
    };
  };
  readonly addr_info: readonly LinkAddress[];
}

export interface LinkAddress {
  readonly family: string;
  readonly local?: string;
  readonly prefixlen: number;
  readonly scope: string;
}

/** What `ip -json` printed for each of its commands; one that had nothing to say may have printed nothing. */
export function parseIpJson(text: string): object[][] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => (JSON.parse(line) as object[]).filter((entry) => Object.keys(entry).length > 0));
}

/** All network devices of this machine. */
export async function readLinks(run: RunProgram): Promise<Link[]> {
  const [links = []] = parseIpJson(await run(['ip', '-json', '-details', 'address', 'show']));
  return links as Link[];
}
