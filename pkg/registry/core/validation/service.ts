import type { LoadBalancerIngress, Service, ServicePort, ServiceSpec } from '../../../api/generated/core-v1.ts';
import { fieldError, goStringSlice, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
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

const ANNOTATIONS = FieldPath.of('metadata', 'annotations');
const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints';
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const SPEC = FieldPath.of('spec');
const CLUSTER_IPS = SPEC.child('clusterIPs');
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const TRAFFIC_POLICIES = ['Cluster', 'Local'];
const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
const AFFINITIES = ['ClientIP', 'None'];
const MAX_AFFINITY_SECONDS = 86_400;
const ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'";

const isHeadless = ({ clusterIPs }: ServiceSpec): boolean => clusterIPs?.length === 1 && clusterIPs[0] === 'None';

/** Upstream's validateService. */
export function* validateService({ metadata, spec }: Service): Findings {
  const ports = spec.ports ?? [];
  const headless = isHeadless(spec);
  const { [TOPOLOGY_HINTS]: hints, [TOPOLOGY_MODE]: mode } = metadata.annotations ?? {};
  if (hints !== undefined && mode !== undefined && hints !== mode) {
    const text = `must match annotations[${TOPOLOGY_HINTS}] when both are specified`;
    yield fieldError.invalid(ANNOTATIONS.key(TOPOLOGY_MODE), mode, text);
  }
  if (ports.length === 0 && !headless && spec.type !== 'ExternalName') yield fieldError.required(SPEC.child('ports'));
  yield* validateByType(spec, headless);
  yield* validatePorts(ports);
  yield* validateLabels(spec.selector, SPEC.child('selector'));
  yield* validateAffinity(spec);
  yield* validateClusterIPs(spec);
  for (const [index, ip] of (spec.externalIPs ?? []).entries())
    yield* ordinaryIP(SPEC.child('externalIPs').index(index), ip);
  yield* oneOf(SPEC.child('type'), spec.type, TYPES);
  yield* validateUniquePorts(spec);
  yield* validateSourceRanges(metadata.annotations?.[SOURCE_RANGES], spec);
  yield* validateLoadBalancer(spec);
  yield* validateTraffic(spec);
}

function* validateByType(spec: ServiceSpec, headless: boolean): Findings {
  const { type } = spec;
  if (type === 'ExternalName') {
    const text = 'may not be set for ExternalName services';
    if ((spec.clusterIPs ?? []).length > 0 || spec.clusterIP) yield fieldError.forbidden(CLUSTER_IPS, text);
    if ((spec.ipFamilies ?? []).length > 0) yield fieldError.forbidden(SPEC.child('ipFamilies'), text);
    if (spec.ipFamilyPolicy !== undefined) yield fieldError.forbidden(SPEC.child('ipFamilyPolicy'), text);
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') yield fieldError.required(SPEC.child('externalName'));
    else yield* dnsSubdomain(SPEC.child('externalName'), name);
    return;
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
    const text = 'when session affinity type is ClientIP';
    const { clientIP } = sessionAffinityConfig ?? {};
    const seconds = clientIP?.timeoutSeconds;
    const at = path.child('clientIP', 'timeoutSeconds');
    if (sessionAffinityConfig === undefined) yield fieldError.required(path, text);
    else if (clientIP === undefined) yield fieldError.required(path.child('clientIP'), text);
    else if (seconds === undefined) yield fieldError.required(at, text);
    else if (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS) {
      yield fieldError.invalid(at, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`);
    }
  } else if (sessionAffinity === 'None' && sessionAffinityConfig !== undefined) {
    yield fieldError.forbidden(path, 'must not be set when session affinity is None');
  }
}

/** Upstream's ValidateServiceClusterIPsRelatedFields. */
export function* validateClusterIPs(spec: ServiceSpec): Findings {
  if (spec.type === 'ExternalName') return;
  const addresses = spec.clusterIPs ?? [];
  const told = goStringSlice(spec.clusterIPs);
  if (!spec.clusterIP && addresses.length > 0) {
    yield fieldError.invalid(CLUSTER_IPS, told, 'must be empty when `clusterIP` is not specified');
  } else if (spec.clusterIP && addresses.length === 0) yield fieldError.required(CLUSTER_IPS);
  else if (spec.clusterIP && addresses[0] !== spec.clusterIP) {
    yield fieldError.invalid(CLUSTER_IPS, told, 'first value must match `clusterIP`');
  }
  const families = spec.ipFamilies ?? [];
  for (const [index, family] of families.entries()) {
    const at = SPEC.child('ipFamilies').index(index);
    if (!FAMILIES.includes(family)) yield fieldError.notSupported(at, family, FAMILIES);
    if (families.indexOf(family) < index) yield fieldError.duplicate(at, family);
  }
  const policy = spec.ipFamilyPolicy;
  if (policy !== undefined && !FAMILY_POLICIES.includes(policy)) {
    yield fieldError.notSupported(SPEC.child('ipFamilyPolicy'), policy, FAMILY_POLICIES);
  }
  const wrong = [...validateAddresses(addresses)];
  yield* wrong;
  if (addresses.length > 2) yield fieldError.invalid(CLUSTER_IPS, told, 'may only hold up to 2 values');
  if (wrong.length > 0) return;
  const [first, second] = addresses.map((address) => parseAddress(address)?.family);
  // Of more than two, one of each family is enough here.
  const isDual = new Set(addresses.map((address) => parseAddress(address)?.family)).size === 2;
  if (addresses.length > 1 && !isDual) {
    yield fieldError.invalid(CLUSTER_IPS, told, 'may specify no more than one IP for each IP family');
  }
  if (isHeadless(spec)) return;
  for (const [index, family] of [first, second].entries()) {
    const wanted = families[index];
    if (family === undefined || wanted === undefined || wanted === `IPv${family}`) continue;
    const text = `expected an ${wanted} value as indicated by \`ipFamilies[${index}]\``;
    yield fieldError.invalid(CLUSTER_IPS.index(index), addresses[index], text);
  }
}

function* validateAddresses(addresses: readonly string[]): Findings {
  for (const [index, address] of addresses.entries()) {
    if (address !== 'None' || index > 0) yield* ipAddress(CLUSTER_IPS.index(index), address);
    else if (addresses.length > 1) {
      yield fieldError.invalid(CLUSTER_IPS, goStringSlice(addresses), "'None' must be the first and only value");
    }
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

/** From where traffic may come, as a field or, of old, as an annotation. */
function* validateSourceRanges(annotation: string | undefined, spec: ServiceSpec): Findings {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const isLoadBalancer = spec.type === 'LoadBalancer';
  if (ranges.length > 0) {
    // So upstream writes it.
    const path = SPEC.child('LoadBalancerSourceRanges');
    if (!isLoadBalancer) yield fieldError.forbidden(path, ONLY_LOAD_BALANCER);
    for (const [index, range] of ranges.entries()) yield* cidr(path.index(index), range.trim());
  } else if (annotation !== undefined) {
    const path = ANNOTATIONS.key(SOURCE_RANGES);
    if (!isLoadBalancer) yield fieldError.forbidden(path, ONLY_LOAD_BALANCER);
    if (annotation.trim() === '') return;
    for (const range of annotation.split(',')) yield* cidr(path, range.trim());
  }
}

function* validateLoadBalancer(spec: ServiceSpec): Findings {
  const isLoadBalancer = spec.type === 'LoadBalancer';
  const field = 'allocateLoadBalancerNodePorts';
  if (spec[field] !== undefined && !isLoadBalancer) yield fieldError.forbidden(SPEC.child(field), ONLY_LOAD_BALANCER);
  if (spec[field] === undefined && isLoadBalancer) yield fieldError.required(field);
  yield* validateLoadBalancerClass(spec);
}

function* validateLoadBalancerClass({ type, loadBalancerClass }: ServiceSpec): Findings {
  if (loadBalancerClass === undefined) return;
  const path = SPEC.child('loadBalancerClass');
  if (type !== 'LoadBalancer') yield fieldError.forbidden(path, ONLY_LOAD_BALANCER);
  else yield* qualifiedName(path, loadBalancerClass);
}

function* validateTraffic(spec: ServiceSpec): Findings {
  const { type, externalTrafficPolicy: external, internalTrafficPolicy: internal, healthCheckNodePort } = spec;
  const path = SPEC.child('externalTrafficPolicy');
  if (!isExternallyAccessible(spec)) {
    if (external) yield fieldError.invalid(path, external, 'may only be set for externally-accessible services');
  } else yield* oneOf(path, external, TRAFFIC_POLICIES);
  const healthPath = SPEC.child('healthCheckNodePort');
  if (!needsHealthCheck(spec)) {
    const text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    if (healthCheckNodePort) yield fieldError.invalid(healthPath, healthCheckNodePort, text);
  } else if (!healthCheckNodePort) yield fieldError.required(healthPath);
  else yield* portNumber(healthPath, healthCheckNodePort);
  if (internal === undefined) {
    if (type === 'ClusterIP' || type === 'NodePort' || type === 'LoadBalancer')
      yield fieldError.required(SPEC.child('internalTrafficPolicy'));
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

/** Whether the load balancer asks a port of its own which nodes to send to. */
export function needsHealthCheck({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

/** Upstream's ValidateServiceUpdate: addresses, families and the class of a load balancer stay. */
export function* validateServiceUpdate({ spec }: Service, old: Service): Findings {
  if (spec.type !== 'ExternalName' && old.spec.type !== 'ExternalName') {
    yield* validateKeptAddresses(spec, old.spec);
    yield* validateKeptFamilies(spec, old.spec);
  }
  const isBalanced = spec.type === 'LoadBalancer' && old.spec.type === 'LoadBalancer';
  if (isBalanced && spec.loadBalancerClass !== old.spec.loadBalancerClass) {
    yield fieldError.invalid(SPEC.child('loadBalancerClass'), spec.loadBalancerClass, 'may not change once set');
  }
  yield* validateLoadBalancerClass(spec);
  const isChecked = needsHealthCheck(spec) && needsHealthCheck(old.spec);
  if (isChecked && spec.healthCheckNodePort !== old.spec.healthCheckNodePort) {
    yield fieldError.forbidden(SPEC.child('healthCheckNodePort'), 'field is immutable');
  }
}

/** Upstream's validateUpgradeDowngradeClusterIPs: the second address may come and go. */
function* validateKeptAddresses(spec: ServiceSpec, old: ServiceSpec): Findings {
  if (isHeadless(spec) && isHeadless(old)) return;
  const [addresses, had] = [spec.clusterIPs ?? [], old.clusterIPs ?? []];
  const refuse = (index: number, text: string) =>
    fieldError.invalid(CLUSTER_IPS.index(index), goStringSlice(spec.clusterIPs), text);
  if (addresses.length === had.length) {
    for (const [index, address] of had.entries()) {
      if (address !== addresses[index]) yield refuse(index, 'may not change once set');
    }
    return;
  }
  if (addresses.length === 0) yield refuse(0, 'primary clusterIP can not be unset');
  else if (had.length > 0 && addresses[0] !== had[0]) yield refuse(0, 'may not change once set');
  if (had.length > addresses.length && addresses.length === 1) yield* mustBeSingle(spec, 'clusterIP');
}

function* mustBeSingle({ ipFamilyPolicy: policy }: ServiceSpec, what: string): Findings {
  if (policy === 'SingleStack') return;
  const text = `must be set to 'SingleStack' when releasing the secondary ${what}`;
  yield fieldError.invalid(SPEC.child('ipFamilyPolicy'), policy, text);
}

/** Upstream's validateUpgradeDowngradeIPFamilies. */
function* validateKeptFamilies(spec: ServiceSpec, old: ServiceSpec): Findings {
  if (isHeadless(spec) || isHeadless(old)) return;
  const path = SPEC.child('ipFamilies').index(0);
  const [families, had] = [spec.ipFamilies ?? [], old.ipFamilies ?? []];
  const told = new Verbatim(`[]core.IPFamily{${families.map(goQuote).join(', ')}}`);
  if (families.length === had.length) {
    for (const [index, family] of had.entries()) {
      if (family !== families[index]) yield fieldError.invalid(path, told, 'may not change once set');
    }
    return;
  }
  if (had.length > families.length && (spec.clusterIPs ?? []).length === 0) {
    yield fieldError.invalid(path, told, 'primary ipFamily can not be unset');
  }
  if (had.length > 0 && families.length > 0 && families[0] !== had[0]) {
    yield fieldError.invalid(path, goStringSlice(spec.clusterIPs), 'may not change once set');
  }
  if (had.length > families.length && families.length === 1) yield* mustBeSingle(spec, 'ipFamily');
}

/** Upstream's ValidateLoadBalancerStatus. */
export function* validateServiceStatus({ spec, status }: Service): Findings {
  const path = FieldPath.of('status', 'loadBalancer', 'ingress');
  const ingress = status.loadBalancer?.ingress ?? [];
  if (spec.type !== 'LoadBalancer' && ingress.length > 0) {
    return yield fieldError.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'");
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
