import { formatAddress, parseAddress } from '../base/ip.ts';
import type { RunProgram } from './nft.ts';

/** Virtual servers of the kernel's load balancer (IPVS), and what `ipvsadm` has to be told to change them. */

export type IpvsProtocol = 'tcp' | 'udp' | 'sctp';

export interface VirtualServer {
  readonly protocol: IpvsProtocol;
  /** Address and port: `10.43.0.1:443`, `[fd00::1]:443`. */
  readonly address: string;
  /** Seconds a client stays with its real server; undefined: every connection is balanced by itself. */
  readonly persistenceSeconds: number | undefined;
  /** Where connections go, in turn: addresses and ports. */
  readonly realServers: ReadonlySet<string>;
}

/** A virtual server as the kernel has it. */
export interface ListedServer {
  readonly protocol: IpvsProtocol;
  readonly address: string;
  /** `unknown`: clients stay, it was not set by this process for how long. */
  readonly persistenceSeconds: number | 'unknown' | undefined;
  readonly realServers: ReadonlyMap<string, ListedRealServer>;
}

export interface ListedRealServer {
  /** 0: gets no new connections. */
  readonly weight: number;
  /** Connections it still has, those being closed included. */
  readonly connections: number;
}

/** By `<protocol> <address>`. */
export type ListedServers = ReadonlyMap<string, ListedServer>;

export function serverKey({ protocol, address }: Pick<VirtualServer, 'protocol' | 'address'>): string {
  return `${protocol} ${address}`;
}

/** What the kernel has: one file, whatever it holds. ipvsadm asks for each virtual server by itself. */
export const READ_SERVERS = ['cat', '/proc/net/ip_vs'] as const;

/** Reads the kernel's list (READ_SERVERS). Services by firewall mark, which are never kedge's, are passed over. */
export function parseServers(text: string): Map<string, ListedServer> {
  const servers = new Map<string, ListedServer & { readonly realServers: Map<string, ListedRealServer> }>();
  let current: Map<string, ListedRealServer> | undefined;
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    const [first = '', second = ''] = words;
    if (first === '->') {
      const [, , , weight, active, inactive] = words;
      if (/^\d+$/.test(weight ?? '')) {
        const connections = Number(active) + Number(inactive);
        current?.set(readAddress(second), { weight: Number(weight), connections });
      }
    } else if (/^(TCP|UDP|SCTP)$/.test(first)) {
      const protocol = first.toLowerCase() as IpvsProtocol;
      const address = readAddress(second);
      current = new Map();
      // The time stands there in the kernel's ticks, and how many of them make a second is not told.
      const persistenceSeconds = words.includes('persistent') ? ('unknown' as const) : undefined;
      servers.set(`${protocol} ${address}`, { protocol, address, persistenceSeconds, realServers: current });
    } else {
      current = undefined;
    }
  }
  return servers;
}

/** `0AF30001:01BB` is `10.243.0.1:443`; IPv6 is written in full, in brackets. */
function readAddress(text: string): string {
  const end = text.lastIndexOf(':');
  const [host, port] = [text.slice(0, end), Number.parseInt(text.slice(end + 1), 16)];
  if (!host.startsWith('[')) {
    const bytes = [0, 2, 4, 6].map((at) => Number.parseInt(host.slice(at, at + 2), 16));
    return `${bytes.join('.')}:${port}`;
  }
  const address = parseAddress(host.slice(1, -1));
  return `[${address === undefined ? host.slice(1, -1) : formatAddress(address)}]:${port}`;
}

export interface IpvsChange {
  /** Lines for `ipvsadm -R`. */
  readonly lines: readonly string[];
  /** What the kernel has after that. */
  readonly after: ListedServers;
  /** Whether real servers remain only until their connections have ended. */
  readonly draining: boolean;
}

/**
 * The smallest change from what is `present` to what is `wanted`. A real server that is wanted no more and may have
 * connections (other than UDP's) gets weight 0 and goes when it is seen without; virtual servers likewise when `keep`
 * says so, else at once with everything. Only `present` servers that are `owned` are touched.
 */
export function planServers(
  present: ListedServers,
  wanted: ReadonlyMap<string, VirtualServer>,
  owned: (server: ListedServer) => boolean,
  keep: (server: ListedServer) => boolean,
): IpvsChange {
  const lines: string[] = [];
  const after = new Map<string, ListedServer>();
  let draining = false;
  for (const [key, server] of wanted) {
    const old = present.get(key);
    const option = serverOption(server);
    const { persistenceSeconds, protocol, address } = server;
    if (old === undefined) lines.push(`-A ${option}${schedule(persistenceSeconds)}`);
    else if (old.persistenceSeconds !== persistenceSeconds) lines.push(`-E ${option}${schedule(persistenceSeconds)}`);
    const realServers = new Map<string, ListedRealServer>();
    for (const real of server.realServers) {
      const had = old?.realServers.get(real);
      if (had === undefined) lines.push(`-a ${option} -r ${real} -m -w 1`);
      else if (had.weight !== 1) lines.push(`-e ${option} -r ${real} -m -w 1`);
      realServers.set(real, { weight: 1, connections: UNKNOWN });
    }
    const left = drain(server, old?.realServers ?? new Map(), server.realServers, lines);
    for (const [real, state] of left) realServers.set(real, state);
    draining ||= left.size > 0;
    after.set(key, { protocol, address, persistenceSeconds, realServers });
  }
  for (const [key, server] of present) {
    if (wanted.has(key)) continue;
    if (!owned(server)) {
      after.set(key, server);
      continue;
    }
    const left = keep(server) ? drain(server, server.realServers, new Set(), lines) : new Map();
    if (left.size === 0) {
      lines.push(`-D ${serverOption(server)}`);
    } else {
      draining = true;
      after.set(key, { ...server, realServers: left });
    }
  }
  return { lines, after, draining };
}

/** A real server that was made by us and not looked at since. */
const UNKNOWN = -1;

/** Lets real servers that are not wanted run out; returns those that still have connections. */
function drain(
  server: Pick<VirtualServer, 'protocol' | 'address'>,
  present: ReadonlyMap<string, ListedRealServer>,
  wanted: ReadonlySet<string>,
  lines: string[],
): Map<string, ListedRealServer> {
  const left = new Map<string, ListedRealServer>();
  const option = serverOption(server);
  for (const [real, { weight, connections }] of present) {
    if (wanted.has(real)) continue;
    if (server.protocol === 'udp' || connections === 0) {
      lines.push(`-d ${option} -r ${real}`);
      continue;
    }
    if (weight !== 0) lines.push(`-e ${option} -r ${real} -m -w 0`);
    left.set(real, { weight: 0, connections });
  }
  return left;
}

function serverOption({ protocol, address }: Pick<VirtualServer, 'protocol' | 'address'>): string {
  return `${{ tcp: '-t', udp: '-u', sctp: '--sctp-service' }[protocol]} ${address}`;
}

function schedule(persistenceSeconds: number | undefined): string {
  return ` -s rr${persistenceSeconds === undefined ? '' : ` -p ${persistenceSeconds}`}`;
}

/**
 * Keeps virtual servers as they were last given and lets old real servers run out. What the kernel has is read first,
 * after `forget`, and after a failure.
 */
export class IpvsKeeper {
  readonly #run: RunProgram;
  readonly #owned: (server: ListedServer) => boolean;
  readonly #keep: (server: ListedServer) => boolean;
  /** What the kernel had after the last change, and whether that is still to be taken for true. */
  #last: ListedServers = new Map();
  #known = false;
  #draining = false;

  /** `owned`: whether a virtual server found in the kernel is ours; `keep`: whether it may stay until it is idle. */
  constructor(run: RunProgram, owned: (server: ListedServer) => boolean, keep: (server: ListedServer) => boolean) {
    this.#run = run;
    this.#owned = owned;
    this.#keep = keep;
  }

  /** Whether there are real servers that go when they are seen without connections, after a `forget`. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Resolves to the number of changes. Calls must not overlap. */
  async apply(wanted: ReadonlyMap<string, VirtualServer>): Promise<number> {
    const present = this.#known ? this.#last : await this.#read();
    this.#known = false;
    const { lines, after, draining } = planServers(present, wanted, this.#owned, this.#keep);
    if (lines.length > 0) await this.#run(['ipvsadm', '-R'], { input: `${lines.join('\n')}\n` });
    this.#last = after;
    this.#known = true;
    this.#draining = draining;
    return lines.length;
  }

  forget(): void {
    this.#known = false;
  }

  /** Removes our virtual servers at once. */
  async remove(): Promise<void> {
    const present = await this.#read();
    this.forget();
    const { lines } = planServers(present, new Map(), this.#owned, () => false);
    if (lines.length > 0) await this.#run(['ipvsadm', '-R'], { input: `${lines.join('\n')}\n` });
  }

  async #read(): Promise<ListedServers> {
    const listed = parseServers(await this.#run(READ_SERVERS));
    for (const [key, server] of listed) {
      const seconds = this.#last.get(key)?.persistenceSeconds;
      if (server.persistenceSeconds === 'unknown' && seconds !== undefined) {
        listed.set(key, { ...server, persistenceSeconds: seconds });
      }
    }
    return listed;
  }
}
