import { readFile, writeFile } from 'node:fs/promises';
import type { Node } from '../../api/generated/core-v1.ts';
import { nodes } from '../../api/resources.ts';
import { getCondition } from '../../apimachinery/object-meta.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import type { Component } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { exec } from '../../host/exec.ts';
import type { RunProgram } from '../../host/nft.ts';
import { VXLAN_DEVICE } from '../names.ts';
import { Resync } from '../resync.ts';
import { announce, announcementOf } from './annotations.ts';
import { applyChanges, readKernelState } from './kernel.ts';
import { type Link, readLinks } from './links.ts';
import { planChanges } from './plan-changes.ts';
import { planRoutes, podCIDROf, type Self, tunnelAddress } from './plan-routes.ts';
import { chooseUnderlay, refuseInterface, type Underlay } from './underlay.ts';
import { ensureVxlanDevice, VXLAN_OVERHEAD } from './vxlan-device.ts';

export interface FlannelOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  readonly backend: 'vxlan' | 'host-gw';
  /** The device other nodes are reached by; that of the node's address when undefined. */
  readonly iface: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** How programs are run, files below /proc read and written; for nodes in network namespaces of their own (tests). */
  readonly run?: RunProgram;
  readonly read?: (path: string) => Promise<string>;
  readonly write?: (path: string, text: string) => Promise<void>;
  /** How often it is looked for changes that others made, ms; 5 s unless given. */
  readonly glanceMs?: number;
}

export interface Flannel extends Component {
  /** Bytes a packet of a Pod may have; known once `start` has resolved. */
  mtu(): number;
}

const MIN_INTERVAL_MS = 100;
/** How often it is looked, without starting a program, whether somebody changed routes or addresses. */
const GLANCE_MS = 5_000;
/** Every so many glances everything is compared. */
const GLANCES_PER_LOOK = 12;
/** Of a machine that has no network yet: what Ethernet allows. */
const USUAL_MTU = 1500;

/**
 * The network between nodes, as upstream flannel makes it: announces this node in its Node's annotations, and leads to
 * the Pods of every node that did the same. Works from the list of Nodes alone; what others change in the kernel is put
 * right within seconds. `stop` leaves everything in place, for Pods outlive kedge.
 */
export function createFlannel(options: FlannelOptions): Flannel {
  const { client, nodeName, backend, clock } = options;
  const log = options.log.child('flannel');
  const run = options.run ?? exec;
  const read = options.read ?? ((path: string) => readFile(path, 'utf8'));
  const write = options.write ?? ((path: string, text: string) => writeFile(path, text));
  const informer = client.informer(nodes);
  const device = backend === 'vxlan' ? VXLAN_DEVICE : undefined;
  const told = new Map<string, string>();
  let underlay: Underlay | undefined;
  let known = false;
  let seen = '';
  let unsubscribe = (): void => {};
  let cancelGlance = (): void => {};

  const resync = new Resync({
    clock,
    minIntervalMs: MIN_INTERVAL_MS,
    work: sync,
    onError: (error, retryMs) =>
      log.warn('the network between nodes is not in order', { error: errorText(error), retryMs }),
  });

  async function findUnderlay(): Promise<Link[]> {
    const { nodeIPs, iface } = options;
    const [links, routes] = await Promise.all([readLinks(run), read('/proc/net/route')]);
    const found = chooseUnderlay({ links, nodeIPs, iface, routes });
    if (found !== undefined && (found.device !== underlay?.device || found.address !== underlay.address)) {
      log.info('other nodes are reached', { backend, device: found.device, address: found.address });
    }
    underlay = found ?? underlay;
    return links;
  }

  async function sync(): Promise<void> {
    const own = informer.get(nodeName);
    if (!known || own === undefined) return;
    const links = await findUnderlay();
    // A machine without a network has nobody to talk to; the next glance sees it get one.
    if (underlay === undefined) return;
    const { address } = underlay;
    const podCIDR = podCIDROf(own);
    let vtepMAC: string | undefined;
    if (device !== undefined) {
      vtepMAC = await ensureVxlanDevice(
        {
          name: device,
          underlay,
          announcedMAC: announcementOf(own)?.vtepMAC,
          tunnelAddress: podCIDR && tunnelAddress(podCIDR),
        },
        links,
        run,
      );
      await openToLoopback(device);
    } else if (links.some(({ ifname, linkinfo }) => ifname === VXLAN_DEVICE && linkinfo?.info_kind === 'vxlan')) {
      await run(['ip', 'link', 'delete', VXLAN_DEVICE]);
    }
    await announceSelf(own, address, vtepMAC);
    await route({ name: nodeName, backend, device: device ?? underlay.device, address });
    if (podCIDR !== undefined) await reportAvailable(own);
    seen = await glance();
  }

  /** Requests to 127.0.0.1:<node port> may be served on another node; pod-table.ts guards the other direction. */
  async function openToLoopback(name: string): Promise<void> {
    const setting = `/proc/sys/net/ipv4/conf/${name}/route_localnet`;
    if ((await read(setting)).trim() === '0') await write(setting, '1');
  }

  async function route(self: Self): Promise<void> {
    const plan = planRoutes(informer.list(), self);
    for (const { node, reason } of plan.skipped) {
      if (told.get(node) !== reason) log.warn('a node cannot be reached', { node, reason });
    }
    told.clear();
    for (const { node, reason } of plan.skipped) told.set(node, reason);
    const changes = planChanges(await readKernelState(device, run), plan, device);
    if (changes.ip.length + changes.bridge.length === 0) return;
    log.debug('routes change', { changes: [...changes.bridge, ...changes.ip].join('; ') });
    await applyChanges(changes, run);
    log.info('routes to other nodes are in place', { nodes: plan.routes.length });
  }

  async function announceSelf(own: Node, address: string, vtepMAC: string | undefined): Promise<void> {
    const annotations = announce(own, backend, address, vtepMAC);
    if (Object.keys(annotations).length === 0) return;
    await client.patch(nodes, nodeName, { type: 'merge', body: { metadata: { annotations } } });
  }

  /** Upstream flannel's word to the scheduler; cloud providers and the controllers set the condition to True. */
  async function reportAvailable(own: Node): Promise<void> {
    const reason = 'FlannelIsUp';
    const condition = getCondition(own.status.conditions, 'NetworkUnavailable');
    if (condition?.status === 'False' && condition.reason === reason) return;
    const now = formatTime(clock.now());
    const message = 'Flannel is running on this node';
    const type = 'NetworkUnavailable';
    const up = { type, status: 'False', reason, message, lastHeartbeatTime: now, lastTransitionTime: now };
    const body = { status: { conditions: [up] } };
    await client.patch(nodes, nodeName, { type: 'strategic', body }, { subresource: 'status' });
  }

  /** What the kernel says for nothing: addresses, routes, and the VXLAN device's neighbours. */
  async function glance(): Promise<string> {
    const files = ['/proc/net/route', '/proc/net/fib_trie', '/proc/net/arp'];
    const [routes, addresses, neighbours = ''] = await Promise.all(files.map(read));
    const own = neighbours.split('\n').filter((line) => device !== undefined && line.trim().endsWith(device));
    return [routes, addresses, ...own.sort()].join('\n');
  }

  function glanceLater(round: number): void {
    cancelGlance = clock.setTimeout(() => {
      glance().then(
        (now) => {
          if (now !== seen || round % GLANCES_PER_LOOK === 0) resync.trigger();
        },
        (error: unknown) => log.warn('routes cannot be read', { error: errorText(error) }),
      );
      glanceLater(round + 1);
    }, options.glanceMs ?? GLANCE_MS);
  }

  return {
    name: 'flannel',
    async start(signal) {
      const links = await findUnderlay();
      const { iface } = options;
      if (iface !== undefined) refuseInterface(iface, links);
      unsubscribe = informer.subscribe((event) => {
        if (event.type !== 'modified' || concernsFlannel(event.old, event.object)) resync.trigger();
      });
      informer.synced().then(
        () => {
          known = true;
          if (!signal.aborted) resync.trigger();
        },
        (error: unknown) => log.error('Nodes cannot be watched', { error: errorText(error) }),
      );
      glanceLater(1);
    },
    // Not when the routes are in place: a node has to come up while its server is away, with the old routes.
    ready: () => Promise.resolve(),
    async stop() {
      cancelGlance();
      unsubscribe();
      await resync.stop();
    },
    mtu: () => (underlay?.mtu ?? USUAL_MTU) - (backend === 'vxlan' ? VXLAN_OVERHEAD : 0),
  };
}

function concernsFlannel(old: Node, node: Node): boolean {
  const concern = ({ metadata, spec, status }: Node): string =>
    JSON.stringify([
      Object.entries(metadata.annotations ?? {}).filter(([name]) => name.startsWith('flannel.')),
      spec.podCIDR,
      spec.podCIDRs,
      getCondition(status.conditions, 'NetworkUnavailable')?.status,
    ]);
  return concern(old) !== concern(node);
}
