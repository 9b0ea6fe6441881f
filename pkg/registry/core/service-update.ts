import type { Service, ServiceSpec } from '../../api/generated/core-v1.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { isExternallyAccessible } from './validation/service.ts';

export const usesNodePorts = (type: string | undefined): boolean => type === 'NodePort' || type === 'LoadBalancer';

/**
 * Takes away, in place, what an earlier type of the Service needed and the new one does not, unless its writer asks for
 * something new there: upstream's dropTypeDependentFields. So a client may change the type alone.
 */
export function dropTypeDependentFields({ spec }: Service, old: Service): void {
  const before = old.spec;
  const same = (key: keyof ServiceSpec): boolean => semanticEqual(spec[key], before[key]);
  const lost = (needs: (from: ServiceSpec) => boolean): boolean => needs(before) && !needs(spec);
  if (lost(({ type }) => type !== 'ExternalName')) {
    if (same('clusterIP')) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (same('ipFamilies')) delete spec.ipFamilies;
    if (same('ipFamilyPolicy')) delete spec.ipFamilyPolicy;
  }
  if (lost(({ type }) => usesNodePorts(type))) {
    const had = new Set((before.ports ?? []).map(({ nodePort }) => nodePort));
    if ((spec.ports ?? []).every(({ nodePort }) => !nodePort || had.has(nodePort))) {
      for (const port of spec.ports ?? []) delete port.nodePort;
    }
  }
  if (lost(hasHealthCheckPort) && same('healthCheckNodePort')) delete spec.healthCheckNodePort;
  if (lost(isExternallyAccessible) && same('externalTrafficPolicy')) delete spec.externalTrafficPolicy;
  if (lost(({ type }) => type === 'LoadBalancer')) {
    for (const key of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) if (same(key)) delete spec[key];
  }
}

const hasHealthCheckPort = ({ type, externalTrafficPolicy }: ServiceSpec): boolean =>
  type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
