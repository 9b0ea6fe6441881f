import type { Clock } from '../../base/clock.ts';
import type { Component } from '../../base/component.ts';
import { type CIDR, parseCIDR } from '../../base/ip.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { exec } from '../../host/exec.ts';
import type { RunProgram } from '../../host/nft.ts';
import { DNS_ADDRESS_LABEL } from '../names.ts';
import { Resync } from '../resync.ts';
import { labelledAddresses } from '../teardown.ts';
import { ClusterRecords } from './cluster-records.ts';
import { DnsHandler } from './handler.ts';
import { readUpstreams, watchUpstreams } from './resolv-conf.ts';
import { DnsSockets } from './sockets.ts';
import type { Upstream } from './upstream-query.ts';

export interface DnsOptions {
  readonly client: Client;
  /** The cluster DNS's address; an IPv4 address is put on `lo` unless `manageAddress` is false. */
  readonly address: string;
  /** 53 unless given. */
  readonly port?: number;
  /** `cluster.local`. */
  readonly domain: string;
  /** Pod and Service CIDRs: names of unknown addresses in them are not asked of the world. */
  readonly ownCIDRs: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly manageAddress?: boolean;
  /** A resolv.conf to use in place of the host's. */
  readonly resolvConf?: string;
  /** Whom to ask, whatever resolv.conf says; for tests. */
  readonly upstreams?: readonly Upstream[];
  readonly run?: RunProgram;
}

const DNS_PORT = 53;
const RELOAD_INTERVAL_MS = 500;

/**
 * The cluster DNS (CoreDNS' part), one on every node at the same address, so that no question leaves its node: Pods
 * reach it as an address of their host. It answers from the cluster's objects and forwards everything else to the
 * host's name servers. `stop` leaves the address, for the sockets of a restarted kedge; teardown.ts removes it.
 */
export function createDns(options: DnsOptions): Component {
  const log = options.log.child('dns');
  const records = new ClusterRecords(options.client);
  const handler = new DnsHandler({
    zone: {
      domain: options.domain.toLowerCase().replace(/\.$/, ''),
      address: options.address,
      ownCIDRs: options.ownCIDRs.map(needCIDR),
      objects: records,
    },
    isSynced: () => records.synced,
    clock: options.clock,
    log,
  });
  const sockets = new DnsSockets((message, transport) => handler.handle(message, transport), log);
  const own = new Set([options.address]);
  const stops: (() => void)[] = [];
  let known = '';

  const reload = new Resync({
    clock: options.clock,
    minIntervalMs: RELOAD_INTERVAL_MS,
    work: loadUpstreams,
    onError: (error, retryMs) => log.warn('resolv.conf cannot be read', { error: errorText(error), retryMs }),
  });

  async function loadUpstreams(): Promise<void> {
    const upstreams = options.upstreams ?? (await readUpstreams(own, options.resolvConf));
    const text = upstreams.map(({ address, port }) => `${address}:${port}`).join(' ');
    if (text === known) return;
    known = text;
    handler.setUpstreams(upstreams);
    log.info('upstream name servers', { upstreams: text === '' ? 'none' : text });
  }

  return {
    name: 'dns',
    async start() {
      if (options.manageAddress !== false) await holdAddress(options.address, options.run ?? exec);
      await loadUpstreams();
      await sockets.listen(options.address, options.port ?? DNS_PORT);
      const onError = (error: unknown): void => log.error('Services cannot be watched', { error: errorText(error) });
      stops.push(records.follow(() => log.debug('cluster names known'), onError));
      if (options.upstreams === undefined) {
        stops.push(await watchUpstreams(() => reload.trigger(), options.resolvConf));
      }
    },
    ready: () => Promise.resolve(),
    async stop() {
      for (const stop of stops.splice(0)) stop();
      await reload.stop();
      await sockets.close();
    },
  };
}

function needCIDR(text: string): CIDR {
  const cidr = parseCIDR(text);
  if (cidr === undefined) throw new TypeError(`not a CIDR: ${text}`);
  return cidr;
}

/**
 * Puts the address on `lo`, marked with a label so that teardown finds it whatever the configuration is by then, and
 * takes a former one away. Its scope keeps it from being chosen as the source of other traffic.
 */
async function holdAddress(address: string, run: RunProgram): Promise<void> {
  const isV6 = address.includes(':');
  const wanted = `${address}/${isV6 ? 128 : 32}`;
  const listing = await run(['ip', '-json', 'address', 'show', 'dev', 'lo']);
  for (const former of labelledAddresses(listing)) {
    if (former !== wanted) await run(['ip', 'address', 'del', former, 'dev', 'lo']);
  }
  // IPv6 addresses have no labels.
  const mark = isV6 ? [] : ['scope', 'host', 'label', DNS_ADDRESS_LABEL];
  await run(['ip', 'address', 'replace', wanted, 'dev', 'lo', ...mark]);
}
