import type { LoadBalancerIngress, Service, ServicePort, ServiceSpec } from '../../../api/generated/core-v1.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabels } from '../../../apimachinery/labels.ts';
import { isQualifiedName } from '../../../apimachinery/names.ts';
import { parseAddress } from '../../../base/ip.ts';
import { ordinaryIP } from '../../validation/ip.ts';
import {
  cidr,
  dnsLabel,
  dnsSubdomain,
  each,
  type Findings,
  ipAddress,
  oneOf,
  portNumber,
  portNumberOrName,
  qualifiedName,
} from '../../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const CLUSTER_IPS = SPEC.child('clusterIPs');
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const TRAFFIC_POLICIES = ['Cluster', 'Local'];
const DISTRIBUTIONS = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];
const AFFINITIES = ['ClientIP', 'None'];
const MAX_AFFINITY_SECONDS = 86_400;
const KUBELET_PORT = 10_250;
const ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'";

const clusterIPsOf = ({ clusterIP, clusterIPs }: ServiceSpec): readonly string[] =>
  (clusterIPs ?? []).length > 0 ? (clusterIPs ?? []) : clusterIP ? [clusterIP] : [];

/** Upstream's ValidateService. */
export function* validateService({ spec }: Service): Findings {
  const ports = spec.ports ?? [];
  const headless = clusterIPsOf(spec)[0] === 'None';
  if (ports.length === 0 && !headless && spec.type !== 'ExternalName') yield fieldError.required(SPEC.child('ports'));
  yield* validateByType(spec, headless);
  yield* validatePorts(ports);
  yield* validateLabels(spec.selector, SPEC.child('selector'));
  yield* validateAffinity(spec);
  if (spec.type !== 'ExternalName') yield* validateFamilies(spec);
  for (const [index, ip] of (spec.externalIPs ?? []).entries())
    yield* ordinaryIP(SPEC.child('externalIPs').index(index), ip);
  yield* oneOf(SPEC.child('type'), spec.type, TYPES);
  yield* validateUniquePorts(spec);
  yield* validateLoadBalancer(spec);
  yield* validateTraffic(spec);
}

function* validateByType(spec: ServiceSpec, headless: boolean): Findings {
  const { type } = spec;
  if (type === 'ExternalName') {
    const text = 'may not be set for ExternalName services';
    if (clusterIPsOf(spec).length > 0) yield fieldError.forbidden(CLUSTER_IPS, text);
    if ((spec.ipFamilies ?? []).length > 0) yield fieldError.forbidden(SPEC.child('ipFamilies'), text);
    if (spec.ipFamilyPolicy !== undefined) yield fieldError.forbidden(SPEC.child('ipFamilyPolicy'), text);
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') yield fieldError.required(SPEC.child('externalName'));
    else yield* dnsSubdomain(SPEC.child('externalName'), name);
    return;
  }
  if (type === 'LoadBalancer') {
    for (const [index, { port }] of (spec.ports ?? []).entries()) {
      const text = `may not expose port ${KUBELET_PORT} externally since it is used by kubelet`;
      if (port === KUBELET_PORT) yield fieldError.invalid(SPEC.child('ports').index(index), port, text);
    }
  }
  if (headless && (type === 'LoadBalancer' || type === 'NodePort')) {
    yield fieldError.invalid(CLUSTER_IPS.index(0), 'None', `may not be set to 'None' for ${type} services`);
  }
}

function* validatePorts(ports: readonly ServicePort[]): Findings {
  const names = new Set<string>();
  for (const [index, { name, port, protocol, targetPort, appProtocol }] of ports.entries()) {
    const path = SPEC.child('ports').index(index);
    if (name) {
      yield* dnsLabel(path.child('name'), name);
      if (names.has(name)) yield fieldError.duplicate(path.child('name'), name);
      names.add(name);
    } else if (ports.length > 1) yield fieldError.required(path.child('name'));
    yield* portNumber(path.child('port'), port);
    yield* oneOf(path.child('protocol'), protocol, PROTOCOLS);
    yield* portNumberOrName(path.child('targetPort'), targetPort);
    if (appProtocol !== undefined) yield* each(path.child('appProtocol'), appProtocol, isQualifiedName);
  }
}

function* validateAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): Findings {
  yield* oneOf(SPEC.child('sessionAffinity'), sessionAffinity, AFFINITIES);
  const path = SPEC.child('sessionAffinityConfig');
  if (sessionAffinity === 'ClientIP') {
    if (sessionAffinityConfig === undefined) {
      yield fieldError.required(path, 'when session affinity type is ClientIP');
      return;
    }
    const { clientIP } = sessionAffinityConfig;
    const seconds = clientIP?.timeoutSeconds;
    const at = path.child('clientIP', 'timeoutSeconds');
    if (clientIP === undefined) yield fieldError.required(path.child('clientIP'));
    else if (seconds === undefined) yield fieldError.required(at);
    else if (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS) {
      yield fieldError.invalid(at, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`);
    }
  } else if (sessionAffinity === 'None' && sessionAffinityConfig !== undefined) {
    yield fieldError.forbidden(path, 'must not be set when session affinity is None');
  }
}

function* validateFamilies(spec: ServiceSpec): Findings {
  const families = spec.ipFamilies ?? [];
  for (const [index, family] of families.entries()) {
    const at = SPEC.child('ipFamilies').index(index);
    if (!FAMILIES.includes(family)) yield fieldError.notSupported(at, family, FAMILIES);
    else if (families.indexOf(family) < index) yield fieldError.duplicate(at, family);
  }
  const policy = spec.ipFamilyPolicy;
  if (policy !== undefined && !FAMILY_POLICIES.includes(policy)) {
    yield fieldError.notSupported(SPEC.child('ipFamilyPolicy'), policy, FAMILY_POLICIES);
  }
  const addresses = clusterIPsOf(spec);
  if (addresses.length > 2) {
    yield fieldError.invalid(CLUSTER_IPS, [...addresses], 'may only hold up to 2 values');
  }
  for (const [index, address] of addresses.entries()) {
    if (address === 'None' && index === 0) {
      if (addresses.length > 1)
        yield fieldError.invalid(CLUSTER_IPS, [...addresses], "'None' must be the first and only value");
      continue;
    }
    yield* ipAddress(CLUSTER_IPS.index(index), address);
  }
}

function* validateUniquePorts({ type, ports }: ServiceSpec): Findings {
  const nodePorts = new Set<string>();
  const seen = new Set<string>();
  const all = [...(ports ?? []).entries()];
  const path = SPEC.child('ports');
  for (const [index, { nodePort }] of all) {
    if (type === 'ClusterIP' && nodePort) {
      yield fieldError.forbidden(path.index(index).child('nodePort'), "may not be used when `type` is 'ClusterIP'");
    }
  }
  for (const [index, { protocol, nodePort }] of all) {
    const key = `${protocol}/${nodePort}`;
    if (nodePort && nodePorts.has(key)) yield fieldError.duplicate(path.index(index).child('nodePort'), nodePort);
    nodePorts.add(key);
  }
  for (const [index, { protocol, port }] of all) {
    const key = `${protocol}/${port}`;
    if (seen.has(key)) yield fieldError.duplicate(path.index(index), goServicePort(protocol ?? '', port));
    seen.add(key);
  }
}

function goServicePort(protocol: string, port: number): Verbatim {
  return new Verbatim(
    `core.ServicePort{Name:"", Protocol:${JSON.stringify(protocol)}, AppProtocol:(*string)(nil), Port:${port}, TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0}`,
  );
}

function* validateLoadBalancer(spec: ServiceSpec): Findings {
  const isLoadBalancer = spec.type === 'LoadBalancer';
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const path = SPEC.child('loadBalancerSourceRanges');
  if (ranges.length > 0 && !isLoadBalancer) yield fieldError.forbidden(path, ONLY_LOAD_BALANCER);
  for (const [index, range] of ranges.entries()) yield* cidr(path.index(index), range.trim());
  const allocate = SPEC.child('allocateLoadBalancerNodePorts');
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isLoadBalancer) {
    yield fieldError.forbidden(allocate, ONLY_LOAD_BALANCER);
  }
  if (spec.allocateLoadBalancerNodePorts === undefined && isLoadBalancer) {
    yield fieldError.required(allocate, 'field is required');
  }
  const className = spec.loadBalancerClass;
  if (className === undefined) return;
  if (!isLoadBalancer) yield fieldError.forbidden(SPEC.child('loadBalancerClass'), ONLY_LOAD_BALANCER);
  else yield* qualifiedName(SPEC.child('loadBalancerClass'), className);
}

function* validateTraffic(spec: ServiceSpec): Findings {
  const { type, externalTrafficPolicy: external, internalTrafficPolicy: internal, healthCheckNodePort } = spec;
  const path = SPEC.child('externalTrafficPolicy');
  if (!isExternallyAccessible(spec)) {
    if (external) yield fieldError.invalid(path, external, 'may only be set for externally-accessible services');
  } else yield* oneOf(path, external, TRAFFIC_POLICIES);
  if (healthCheckNodePort && !(type === 'LoadBalancer' && external === 'Local')) {
    const text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    yield fieldError.invalid(SPEC.child('healthCheckNodePort'), healthCheckNodePort, text);
  }
  if (internal === undefined) {
    if (type !== 'ExternalName') yield fieldError.required(SPEC.child('internalTrafficPolicy'));
  } else if (!TRAFFIC_POLICIES.includes(internal)) {
    yield fieldError.notSupported(SPEC.child('internalTrafficPolicy'), internal, TRAFFIC_POLICIES);
  }
  const distribution = spec.trafficDistribution;
  if (distribution !== undefined && !DISTRIBUTIONS.includes(distribution)) {
    yield fieldError.notSupported(SPEC.child('trafficDistribution'), distribution, DISTRIBUTIONS);
  }
}

/** Whether traffic from outside the cluster may come to it. */
export function isExternallyAccessible({ type, externalIPs }: ServiceSpec): boolean {
  return type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && (externalIPs ?? []).length > 0);
}

/** A cluster IP stays what it is while the Service has one (upstream: validateUpgradeDowngradeClusterIPs). */
export function* validateServiceUpdate({ spec }: Service, old: Service): Findings {
  const had = old.spec.clusterIP;
  if (!had || old.spec.type === 'ExternalName' || spec.type === 'ExternalName' || spec.clusterIP === had) return;
  const text = spec.clusterIP ? 'may not change once set' : 'primary clusterIP can not be unset';
  yield fieldError.invalid(CLUSTER_IPS.index(0), [...clusterIPsOf(spec)], text);
}

/** Upstream's ValidateLoadBalancerStatus. */
export function* validateServiceStatus({ spec, status }: Service): Findings {
  const path = FieldPath.of('status', 'loadBalancer', 'ingress');
  const ingress = status.loadBalancer?.ingress ?? [];
  if (spec.type !== 'LoadBalancer' && ingress.length > 0) {
    yield fieldError.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'");
  }
  for (const [index, point] of ingress.entries()) yield* validateIngressPoint(point, path.index(index));
}

function* validateIngressPoint({ ip, hostname, ipMode }: LoadBalancerIngress, path: FieldPath): Findings {
  if (ip) yield* ipAddress(path.child('ip'), ip);
  if (ip && ipMode === undefined) yield fieldError.required(path.child('ipMode'), 'must be specified when `ip` is set');
  else if (ipMode !== undefined && !ip) {
    yield fieldError.forbidden(path.child('ipMode'), 'may not be specified when `ip` is not set');
  } else if (ipMode !== undefined && ipMode !== 'VIP' && ipMode !== 'Proxy') {
    yield fieldError.notSupported(path.child('ipMode'), ipMode, ['Proxy', 'VIP']);
  }
  if (!hostname) return;
  yield* dnsSubdomain(path.child('hostname'), hostname);
  if (parseAddress(hostname) !== undefined) {
    yield fieldError.invalid(path.child('hostname'), hostname, 'must be a DNS name, not an IP address');
  }
}
