/** From Pods to endpoints: which Pods count, with which addresses, ports and conditions. */
import { isIPv6 } from 'node:net';
import type { Node, Pod, Service, ServicePort } from '../../api/generated/core-v1.ts';
import type { Endpoint, EndpointPort } from '../../api/generated/discovery-v1.ts';
import { isPodReady, isPodTerminal } from '../pod-state.ts';

export type AddressType = 'IPv4' | 'IPv6';

const ZONE = 'topology.kubernetes.io/zone';

export const isHeadless = (service: Service): boolean => service.spec.clusterIP === 'None';

/** Whether this controller makes endpoints for `service`: those without a selector are somebody else's. */
export function hasManagedEndpoints(service: Service): boolean {
  return service.spec.selector !== undefined && service.spec.type !== 'ExternalName';
}

export function addressTypesOf(service: Service): AddressType[] {
  const { ipFamilies, clusterIP = '' } = service.spec;
  if (ipFamilies !== undefined && ipFamilies.length > 0) {
    return ipFamilies.map((family) => (family === 'IPv6' ? 'IPv6' : 'IPv4'));
  }
  return [isIPv6(clusterIP) ? 'IPv6' : 'IPv4'];
}

/** The Pod's addresses of one family. */
export function addressesOf(pod: Pod, type: AddressType): string[] {
  const { podIPs, podIP } = pod.status;
  const all = podIPs !== undefined && podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : podIP ? [podIP] : [];
  return all.filter((ip) => isIPv6(ip) === (type === 'IPv6'));
}

/** Whether the Pod can be an endpoint at all: it has an address and has not ended. */
export function hasEndpoint(pod: Pod): boolean {
  return !isPodTerminal(pod) && Boolean(pod.status.podIP || pod.status.podIPs?.length);
}

/** The host name the Pod is known by below the headless Service, if it has one. */
export function hostnameFor(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec;
  return hostname && subdomain === service.metadata.name ? hostname : undefined;
}

export interface TargetRef {
  kind: string;
  namespace: string | undefined;
  name: string;
  uid: string;
}

export const targetRefOf = ({ metadata }: Pod): TargetRef => ({
  kind: 'Pod',
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
});

/** The Pod as an endpoint of `service`. */
export function endpointOf(pod: Pod, service: Service, addresses: string[], node: Node | undefined): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameFor(pod, service);
  const zone = node?.metadata.labels?.[ZONE];
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && { hostname }),
    targetRef: targetRefOf(pod),
    ...(pod.spec.nodeName && { nodeName: pod.spec.nodeName }),
    ...(zone && { zone }),
  };
}

/** The number that `port.targetPort` means on `pod`; undefined when no container has a port of that name. */
export function targetPortOn(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const container of [...pod.spec.containers, ...sidecars]) {
    for (const { name, protocol = 'TCP', containerPort } of container.ports ?? []) {
      if (name === target && protocol === (port.protocol ?? 'TCP')) return containerPort;
    }
  }
  return undefined;
}

/** The ports under which `pod` serves `service`. */
export function endpointPorts(pod: Pod, service: Service): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((servicePort) => {
    const port = targetPortOn(pod, servicePort);
    if (port === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = servicePort;
    return [{ name, port, protocol, ...(appProtocol !== undefined && { appProtocol }) }];
  });
}
