import { BlockList, isIP } from 'node:net';
import type { Endpoint } from '../../api/generated/discovery-v1.ts';
import { endpointSlices, nodes, pods, services } from '../../api/resources.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { RequestInfo } from '../request-info.ts';
import type { Store } from '../storage/store.ts';

export interface ProxyTarget {
  readonly url: URL;
  /** Path of the request up to where the backend's own path begins, when it is a proxy. */
  readonly prefix?: string;
  /** The backend is a kubelet: use the API server's client certificate. */
  readonly kubelet: boolean;
}

interface NameParts {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** `[scheme:]name[:port]`, as proxy URLs name their object of `resource`. Throws BadRequest. */
export function parseProxyName(text: string, resource: string): NameParts {
  const parts = text.split(':');
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  if (parts.length > 3 || name === '' || !['', 'http', 'https'].includes(scheme)) {
    throw statusErrors.badRequest(`invalid ${resource} request ${goQuote(text)}`);
  }
  return { scheme: scheme || 'http', name, port };
}

const PROXY = /^(?:\/[^/?]*){5}/;
const NAMESPACED_PROXY = /^(?:\/[^/?]*){7}/;

/** Where a `…/proxy/…` request goes: the Pod's address, an endpoint of the Service, the node's kubelet. */
export function proxyTarget(store: Store, descriptor: Descriptor, info: RequestInfo, requestUrl: string): ProxyTarget {
  const { namespaced } = descriptor.type;
  // …/<resource>/<name>/proxy: whatever the object's name is.
  const prefix = (namespaced ? NAMESPACED_PROXY : PROXY).exec(requestUrl)?.[0] ?? requestUrl;
  const path = requestUrl.slice(prefix.length);
  const { url, kubelet } = backend(store, descriptor, info, path.startsWith('/') ? path : `/${path}`);
  return { url, kubelet, prefix };
}

function backend(store: Store, descriptor: Descriptor, info: RequestInfo, rest: string): ProxyTarget {
  const { scheme, name, port } = parseProxyName(info.name, descriptor.type.resource.slice(0, -1));
  switch (descriptor.type.resource) {
    case 'pods': {
      const pod = store.get(pods, name, info.namespace)?.object;
      if (pod === undefined) throw statusErrors.notFound(pods, name);
      const address = proxyable(pod.status.podIP);
      const first = pod.spec.containers.flatMap((container) => container.ports ?? [])[0]?.containerPort;
      return { url: new URL(`${scheme}://${host(address)}:${port || (first ?? 80)}${rest}`), kubelet: false };
    }
    case 'services': {
      const { namespace } = info;
      const endpoint = serviceEndpoint(store, { namespace, name }, port, isPodOf(store, namespace));
      return { url: new URL(`${scheme}://${endpoint}${rest}`), kubelet: false };
    }
    case 'nodes': {
      const node = store.get(nodes, name)?.object;
      if (node === undefined) throw statusErrors.notFound(nodes, name);
      const address = node.status.addresses?.find(({ type }) => type === 'InternalIP')?.address;
      if (address === undefined) throw statusErrors.badRequest('address not allowed');
      const kubeletPort = node.status.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250;
      const isKubelet = port === '' || port === String(kubeletPort);
      if (!isKubelet) proxyable(address);
      return {
        url: new URL(`${isKubelet ? 'https' : scheme}://${host(address)}:${port || kubeletPort}${rest}`),
        kubelet: isKubelet,
      };
    }
    default:
      throw statusErrors.pathNotFound();
  }
}

const host = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** Addresses of the API server's own machine and its link: who may ask for a proxy is not let in there. */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('127.0.0.0', 8, 'ipv4');
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addSubnet('224.0.0.0', 24, 'ipv4');
FORBIDDEN.addAddress('::1', 'ipv6');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
FORBIDDEN.addSubnet('ff01::', 16, 'ipv6');
FORBIDDEN.addSubnet('ff02::', 16, 'ipv6');

function proxyable(address: string | undefined): string {
  const family = isIP(address ?? '');
  if (address === undefined || family === 0 || FORBIDDEN.check(address, family === 6 ? 'ipv6' : 'ipv4')) {
    throw statusErrors.badRequest('address not allowed');
  }
  return address;
}

/**
 * `host:port` of a ready endpoint of a Service that is fit, picked at random. `port`: a port's name or number.
 * Throws NotFound, ServiceUnavailable.
 */
export function serviceEndpoint(
  store: Store,
  { namespace, name }: Readonly<{ namespace: string; name: string }>,
  port: string,
  isFit: (endpoint: Endpoint, address: string) => boolean = () => true,
): string {
  const service = store.get(services, name, namespace)?.object;
  if (service === undefined) throw statusErrors.notFound(services, name);
  let portName = port;
  if (/^\d+$/.test(port)) {
    const found = service.spec.ports?.find((candidate) => candidate.port === Number(port));
    if (found === undefined) {
      throw statusErrors.serviceUnavailable(`no service port ${Number(port)} found for service ${goQuote(name)}`);
    }
    portName = found.name ?? '';
  }
  const found = store
    .list(endpointSlices, namespace)
    .map((stored) => stored.object)
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name)
    .flatMap((slice) => {
      const number = slice.ports?.find((candidate) => (candidate.name ?? '') === portName)?.port;
      if (number === undefined) return [];
      return (slice.endpoints ?? [])
        .filter((endpoint) => endpoint.conditions?.ready !== false)
        .flatMap((endpoint) => endpoint.addresses.filter((address) => isFit(endpoint, address)))
        .map((address) => `${host(address)}:${number}`);
    });
  const chosen = found[Math.floor(Math.random() * found.length)];
  if (chosen === undefined) {
    throw statusErrors.serviceUnavailable(`no endpoints available for service ${goQuote(name)}`);
  }
  return chosen;
}

/** Only Pods of the Service's namespace: whoever may write endpoints could lead the API server anywhere else. */
function isPodOf(store: Store, namespace: string): (endpoint: Endpoint, address: string) => boolean {
  return ({ targetRef }, address) => {
    if (targetRef?.namespace !== namespace) return false;
    const pod = store.get(pods, targetRef.name ?? '', namespace)?.object;
    return pod?.status.podIPs?.some(({ ip }) => ip === address) ?? false;
  };
}
