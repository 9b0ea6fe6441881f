import type { Service, ServiceSpec } from '../../api/generated/core-v1.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { isExternallyAccessible, needsHealthCheck } from './validation/service.ts';

export const needsClusterIP = ({ type }: ServiceSpec): boolean => type !== 'ExternalName';

export const needsNodePorts = ({ type }: ServiceSpec): boolean => type === 'NodePort' || type === 'LoadBalancer';

/** What a client that sends a Service without its allocations means to keep: upstream's patchAllocatedValues. */
export function keepAllocated({ spec }: Service, { spec: before }: Service): void {
  const both = (needs: (from: ServiceSpec) => boolean): boolean => needs(before) && needs(spec);
  if (both(needsClusterIP)) {
    spec.clusterIP ||= before.clusterIP;
    if ((spec.clusterIPs ?? []).length === 0 && before.clusterIPs !== undefined) spec.clusterIPs = before.clusterIPs;
  }
  if (both(needsNodePorts)) {
    const sent = new Set(nodePortsOf(spec));
    const had = new Map((before.ports ?? []).map(({ name, nodePort }) => [name ?? '', nodePort]));
    for (const port of spec.ports ?? []) {
      const nodePort = had.get(port.name ?? '');
      if (!port.nodePort && nodePort && !sent.has(nodePort)) port.nodePort = nodePort;
    }
  }
  if (both(needsHealthCheck)) spec.healthCheckNodePort ||= before.healthCheckNodePort;
}

/** Brings the list of addresses in line with the single field, when the writer sent or changed that alone. */
export function syncClusterIPs({ spec }: Service, old: Service | undefined): void {
  const { clusterIP } = spec;
  if (old === undefined) {
    if (clusterIP && (spec.clusterIPs ?? []).length === 0) spec.clusterIPs = [clusterIP];
    return;
  }
  const before = old.spec;
  if (before.clusterIP === clusterIP) {
    if ((spec.clusterIPs ?? []).length === 0 && before.clusterIPs !== undefined) spec.clusterIPs = before.clusterIPs;
  } else if (semanticEqual(spec.clusterIPs, before.clusterIPs)) {
    if (clusterIP) spec.clusterIPs = [clusterIP];
    else delete spec.clusterIPs;
  }
}

/**
 * Takes away, in place, what an earlier type of the Service needed and the new one does not, unless its writer asks for
 * something new there: upstream's dropTypeDependentFields. So a client may change the type alone.
 */
export function dropTypeDependentFields({ spec }: Service, old: Service): void {
  const before = old.spec;
  const same = (key: keyof ServiceSpec): boolean => semanticEqual(spec[key], before[key]);
  const lost = (needs: (from: ServiceSpec) => boolean): boolean => needs(before) && !needs(spec);
  if (lost(needsClusterIP)) {
    if (same('clusterIPs')) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (same('ipFamilies')) delete spec.ipFamilies;
    if (same('ipFamilyPolicy')) delete spec.ipFamilyPolicy;
  }
  if (lost(needsNodePorts)) {
    const had = new Set(nodePortsOf(before));
    if (nodePortsOf(spec).every((nodePort) => had.has(nodePort))) {
      for (const port of spec.ports ?? []) delete port.nodePort;
    }
  }
  if (lost(needsHealthCheck) && same('healthCheckNodePort')) delete spec.healthCheckNodePort;
  if (lost(isExternallyAccessible) && same('externalTrafficPolicy')) delete spec.externalTrafficPolicy;
  if (lost(({ type }) => type === 'LoadBalancer')) {
    for (const key of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) if (same(key)) delete spec[key];
  }
}

/** The ports on nodes that it asks for or has, in its ports' order. */
export function nodePortsOf({ ports }: ServiceSpec): number[] {
  return (ports ?? []).flatMap(({ nodePort }) => (nodePort ? [nodePort] : []));
}
