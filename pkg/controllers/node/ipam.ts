/** Upstream's node-ipam-controller: gives every node its share of the cluster's Pod addresses. */
import type { Node } from '../../api/generated/core-v1.ts';
import { nodes } from '../../api/resources.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import { parseCIDR } from '../../base/ip.ts';
import { type ControllerContext, createController, watch } from '../controller.ts';
import { CIDRAllocator } from './cidr-allocator.ts';

/** Until a node is tried again that found all blocks taken; a node that goes gives one back at once. */
const FULL_RETRY_MS = 60_000;

export interface NodeIpamOptions {
  /** One block per address family: `10.42.0.0/16`, `fd00:42::/56`. */
  readonly clusterCIDRs: readonly string[];
}

/** Throws RangeError when a CIDR cannot be divided into nodes' blocks (/24, IPv6 /64). */
export function createNodeIpamController(context: ControllerContext, options: NodeIpamOptions): Component {
  const { client, recorder } = context;
  const nodeInformer = client.informer(nodes);
  const allocators = options.clusterCIDRs.map(
    (cidr) => new CIDRAllocator(cidr, parseCIDR(cidr)?.family === 6 ? 64 : 24),
  );

  const blocksOf = ({ spec }: Node): readonly string[] => spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : []);

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
      const message = `Node ${name} status is now: CIDRNotAvailable`;
      recorder.event(referenceTo(nodes, node), 'Normal', 'CIDRNotAvailable', message);
      return FULL_RETRY_MS;
    }
    const { uid, resourceVersion } = node.metadata;
    const body = { metadata: { uid, resourceVersion }, spec: { podCIDR: blocks[0], podCIDRs: blocks } };
    try {
      await client.patch(nodes, name, { type: 'merge', body });
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
