import { namespaces } from '../../api/resources.ts';
import type { Random } from '../../apimachinery/random-name.ts';
import type { Clock } from '../../base/clock.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/events.ts';
import { defaultSelector } from '../default-selector.ts';
import type { WeightedPlugin } from '../framework.ts';
import { defaultBinder } from './default-binder.ts';
import { defaultPreemption } from './default-preemption.ts';
import { imageLocality } from './image-locality.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesBalancedAllocation } from './node-resources-balanced-allocation.ts';
import { nodeResourcesFit } from './node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { podTopologySpread } from './pod-topology-spread.ts';
import { prioritySort } from './priority-sort.ts';
import { schedulingGates } from './scheduling-gates.ts';
import { taintToleration } from './taint-toleration.ts';
import { volumeBinding } from './volume-binding.ts';
import { volumeRestrictions } from './volume-restrictions.ts';
import { volumeZone } from './volume-zone.ts';

/** What plugins use beside the Pod and the nodes. */
export interface PluginContext {
  readonly client: Client;
  readonly clock: Clock;
  readonly recorder: EventRecorder;
  readonly random: Random;
}

/** The plugins of the default profile in upstream's order and weights; filters run in this order. */
export function defaultPlugins(context: PluginContext): WeightedPlugin[] {
  const { client } = context;
  const namespaceInformer = client.informer(namespaces);
  return [
    { plugin: schedulingGates, weight: 0 },
    { plugin: prioritySort, weight: 0 },
    { plugin: nodeUnschedulable, weight: 0 },
    { plugin: nodeName, weight: 0 },
    { plugin: taintToleration, weight: 3 },
    { plugin: nodeAffinity, weight: 2 },
    { plugin: nodePorts, weight: 0 },
    { plugin: nodeResourcesFit, weight: 1 },
    { plugin: volumeRestrictions(context), weight: 0 },
    { plugin: volumeBinding(context), weight: 0 },
    { plugin: volumeZone(context), weight: 0 },
    { plugin: podTopologySpread(defaultSelector(client)), weight: 2 },
    { plugin: interPodAffinity((name) => namespaceInformer.get(name)?.metadata.labels ?? {}), weight: 2 },
    { plugin: defaultPreemption(context), weight: 0 },
    { plugin: nodeResourcesBalancedAllocation, weight: 1 },
    { plugin: imageLocality, weight: 1 },
    { plugin: defaultBinder(client), weight: 0 },
  ];
}
