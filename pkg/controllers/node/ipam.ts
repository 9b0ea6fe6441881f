/** Upstream's node-ipam-controller: gives every node its share of the cluster's Pod addresses. */
import type { Node } from '../../api/generated/core-v1.ts';
import { nodes } from '../../api/resources.ts';
import { getCondition } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Component } from '../../base/component.ts';
import { parseCIDR } from '../../base/ip.ts';
import { type ControllerContext, createController, watch } from '../controller.ts';
import { CIDRAllocator } from './cidr-allocator.ts';

/** Until a node is tried again that found all blocks taken; a node that goes gives one back at once. */
const FULL_RETRY_MS = 60_000;

const NETWORK = 'NetworkUnavailable';
const NOT_AVAILABLE = 'CIDRNotAvailable';

export interface NodeIpamOptions {
  /** One block per address family: `10.42.0.0/16`, `fd00:42::/56`. */
  readonly clusterCIDRs: readonly string[];
}

/** Throws RangeError when a CIDR cannot be divided into nodes' blocks (/24, IPv6 /64). */
export function createNodeIpamController(context: ControllerContext, options: NodeIpamOptions): Component {
  const { client, clock, log, recorder } = context;
  const nodeInformer = client.informer(nodes);
  const allocators = options.clusterCIDRs.map(
    (cidr) => new CIDRAllocator(cidr, parseCIDR(cidr)?.family === 6 ? 64 : 24),
  );

  const blocksOf = ({ spec }: Node): readonly string[] => spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : []);

  /** Resolves to whether that was news. Upstream leaves it at an event, which expires while the node stays without a network. */
  async function setNetwork(node: Node, status: string, reason: string, message: string): Promise<boolean> {
    const old = getCondition(node.status.conditions, NETWORK);
    if (old?.status === status && old.reason === reason) return false;
    const now = formatTime(clock.now());
    const condition = { type: NETWORK, status, reason, message, lastHeartbeatTime: now, lastTransitionTime: now };
    const body = { status: { conditions: [condition] } };
    await client.patch(nodes, node.metadata.name, { type: 'strategic', body }, { subresource: 'status' });
    return true;
  }

  async function reconcile(name: string): Promise<number | undefined> {
    const node = nodeInformer.get(name);
    if (node === undefined || blocksOf(node).length > 0) return undefined;
    const blocks: string[] = [];
    for (const allocator of allocators) {
      const block = allocator.allocate();
      if (block !== undefined) blocks.push(block);
    }
    const giveBack = (): void => {
      for (const block of blocks) for (const allocator of allocators) allocator.release(block);
    };
    if (blocks.length < allocators.length) {
      giveBack();
      const message =
        `Node ${name} gets no Pod addresses: every block of ${options.clusterCIDRs.join(', ')} is taken; ` +
        'delete Nodes that are gone, or start the cluster with a wider --cluster-cidr';
      if (await setNetwork(node, 'True', NOT_AVAILABLE, message)) {
        log.warn(message);
        recorder.event(referenceTo(nodes, node), 'Warning', NOT_AVAILABLE, message);
      }
      return FULL_RETRY_MS;
    }
    const { uid, resourceVersion } = node.metadata;
    const body = { metadata: { uid, resourceVersion }, spec: { podCIDR: blocks[0], podCIDRs: blocks } };
    try {
      await client.patch(nodes, name, { type: 'merge', body });
      if (getCondition(node.status.conditions, NETWORK)?.reason === NOT_AVAILABLE) {
        await setNetwork(node, 'False', 'CIDRAvailable', `Node ${name} has ${blocks.join(', ')}`);
      }
    } catch (error) {
      giveBack();
      if (!isStatusReason(error, 'NotFound')) throw error;
    }
    return undefined;
  }

  return createController(
    {
      name: 'node-ipam-controller',
      // One at a time: blocks go out in order.
      workers: 1,
      watches: [
        watch(nodeInformer, (event, queue) => {
          for (const block of blocksOf(event.object)) {
            for (const allocator of allocators) {
              if (event.type === 'deleted') allocator.release(block);
              else allocator.occupy(block);
            }
          }
          if (event.type === 'deleted') {
            for (const node of nodeInformer.list()) if (blocksOf(node).length === 0) queue.add(node.metadata.name);
          } else if (blocksOf(event.object).length === 0) queue.add(event.object.metadata.name);
        }),
      ],
      reconcile,
    },
    context,
  );
}
