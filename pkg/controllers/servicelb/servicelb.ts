/**
 * Gives LoadBalancer Services the addresses of nodes. k3s's ServiceLB runs Pods that forward from the nodes' ports;
 * here the Service proxy of every node answers at these addresses itself.
 */
import type { LoadBalancerIngress, Node, Service } from '../../api/generated/core-v1.ts';
import type { EndpointSlice } from '../../api/generated/discovery-v1.ts';
import { endpointSlices, nodes, services } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { getCondition, objectKey } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isStatusReason } from '../../apimachinery/status-error.ts';
import type { Component } from '../../base/component.ts';
import type { InformerEvent } from '../../client/informer.ts';
import { type ControllerContext, createController, type KeyQueue, watch } from '../controller.ts';
import { isBalanced, type LoadBalancerPlan, planLoadBalancers } from './plan.ts';

export interface ServiceLBOptions {
  /** Ports that nodes need for the cluster itself. */
  readonly reservedPorts: readonly number[];
}

/** One Service's ports bear on another's: all are worked out together. */
const ALL = 'all';

export function createServiceLBController(context: ControllerContext, options: ServiceLBOptions): Component {
  const { client, recorder } = context;
  const serviceInformer = client.informer(services);
  const nodeInformer = client.informer(nodes);
  const sliceInformer = client.informer(endpointSlices);
  const reservedPorts = new Set(options.reservedPorts);
  /** What each pending Service was told last. */
  const told = new Map<string, string>();

  function onService(event: InformerEvent<Service>, queue: KeyQueue): void {
    const versions = event.type === 'modified' ? [event.old, event.object] : [event.object];
    if (versions.some(({ spec }) => spec.type === 'LoadBalancer')) queue.add(ALL);
  }

  function onNode(event: InformerEvent<Node>, queue: KeyQueue): void {
    if (event.type !== 'modified' || !deepEqual(visible(event.old), visible(event.object))) queue.add(ALL);
  }

  /** Endpoints bear on Services only whose traffic stays on the node. */
  function onSlice({ object }: InformerEvent<EndpointSlice>, queue: KeyQueue): void {
    const { labels, namespace } = object.metadata;
    const service = serviceInformer.get(labels?.['kubernetes.io/service-name'] ?? '', namespace);
    if (service?.spec.externalTrafficPolicy === 'Local' && isBalanced(service)) queue.add(ALL);
  }

  async function write(service: Service, ingress: readonly LoadBalancerIngress[]): Promise<void> {
    const old = service.status.loadBalancer?.ingress ?? [];
    if (deepEqual(old, ingress)) return;
    const { name, namespace = '' } = service.metadata;
    const body = { status: { loadBalancer: ingress.length === 0 ? null : { ingress } } };
    try {
      await client.patch(services, name, { type: 'merge', body }, { namespace, subresource: 'status' });
    } catch (error) {
      if (isStatusReason(error, 'NotFound')) return;
      throw error;
    }
    const list = (points: readonly LoadBalancerIngress[]): string => points.map(({ ip }) => ip).join(' ');
    const message = `Updated LoadBalancer with new IPs: [${list(old)}] -> [${list(ingress)}]`;
    recorder.event(referenceTo(services, service), 'Normal', 'UpdatedLoadBalancer', message);
  }

  async function carryOut({ service, ingress, problem }: LoadBalancerPlan): Promise<void> {
    const key = objectKey(service);
    if (problem === undefined) told.delete(key);
    else if (told.get(key) !== problem) {
      told.set(key, problem);
      recorder.event(referenceTo(services, service), 'Warning', 'SyncLoadBalancerFailed', problem);
    }
    await write(service, ingress);
  }

  async function reconcile(): Promise<undefined> {
    const all = serviceInformer.list();
    const plans = planLoadBalancers({
      services: all,
      nodes: nodeInformer.list(),
      endpointSlices: sliceInformer.list(),
      reservedPorts,
    });
    const planned = new Set(plans.map(({ service }) => objectKey(service)));
    for (const key of told.keys()) if (!planned.has(key)) told.delete(key);
    // A Service that is of another type now gives its addresses back.
    for (const service of all) if (service.spec.type !== 'LoadBalancer') await write(service, []);
    for (const plan of plans) await carryOut(plan);
  }

  return createController(
    {
      name: 'service-lb-controller',
      workers: 1,
      watches: [watch(serviceInformer, onService), watch(nodeInformer, onNode), watch(sliceInformer, onSlice)],
      reconcile,
    },
    context,
  );
}

/** What of a node decides whether and where it serves. */
function visible({ metadata, status }: Node): object {
  return {
    labels: metadata.labels,
    addresses: status.addresses,
    ready: getCondition(status.conditions, 'Ready')?.status,
  };
}
