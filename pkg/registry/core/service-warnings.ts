import type { Service } from '../../api/generated/core-v1.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { warnOfCIDR, warnOfIP } from '../validation/ip-warnings.ts';

const SPEC = FieldPath.of('spec');
const HINTS = 'service.kubernetes.io/topology-aware-hints';

/** Upstream's GetWarningsForService. */
export function* serviceWarnings({ metadata, spec }: Service): Generator<string, void> {
  const { type, clusterIP, clusterIPs = [], externalIPs = [], loadBalancerIP = '', sessionAffinity } = spec;
  if (metadata.annotations?.[HINTS] !== undefined) {
    yield `annotation ${HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead`;
  }
  const isHeadless = type === 'ClusterIP' && clusterIP === 'None';
  if (clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None') {
    for (const [index, ip] of clusterIPs.entries()) yield* warnOfIP(SPEC.child('clusterIPs').index(index), ip);
  }
  if (isHeadless) {
    if (loadBalancerIP !== '') yield 'spec.loadBalancerIP is ignored for headless services';
    if (externalIPs.length > 0) yield 'spec.externalIPs is ignored for headless services';
    if (sessionAffinity !== 'None') yield 'spec.SessionAffinity is ignored for headless services';
  }
  for (const [index, ip] of externalIPs.entries()) yield* warnOfIP(SPEC.child('externalIPs').index(index), ip);
  if (externalIPs.length > 0 && !isHeadless && type !== 'ExternalName') {
    yield 'spec.externalIPs is deprecated and may no longer be implemented in some clusters';
  }
  if (loadBalancerIP !== '') yield* warnOfIP(SPEC.child('loadBalancerIP'), loadBalancerIP);
  for (const [index, cidr] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    yield* warnOfCIDR(SPEC.child('loadBalancerSourceRanges').index(index), cidr);
  }
  if (type === 'ExternalName' && externalIPs.length > 0) {
    yield 'spec.externalIPs is ignored when spec.type is "ExternalName"';
  }
  if (type !== 'ExternalName' && spec.externalName) {
    yield 'spec.externalName is ignored when spec.type is not "ExternalName"';
  }
  if (spec.trafficDistribution === 'PreferClose') {
    yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"';
  }
}
