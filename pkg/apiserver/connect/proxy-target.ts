import { endpointSlices, nodes, pods, services } from '../../api/resources.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { RequestInfo } from '../request-info.ts';
import type { Store } from '../storage/store.ts';

export interface ProxyTarget {
  readonly url: URL;
  /** The backend is a kubelet: use the API server's client certificate. */
  readonly kubelet: boolean;
}

interface NameParts {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** `[scheme:]name[:port]`, as proxy URLs name their object. */
export function parseProxyName(text: string): NameParts {
  const parts = text.split(':');
  if (parts.length === 1) return { scheme: 'http', name: text, port: '' };
  if (parts.length === 2) return { scheme: 'http', name: parts[0] ?? '', port: parts[1] ?? '' };
  return { scheme: parts[0] || 'http', name: parts[1] ?? '', port: parts[2] ?? '' };
}

/** Where a `…/proxy/…` request goes: the Pod's address, an endpoint of the Service, the node's kubelet. */
export function proxyTarget(store: Store, descriptor: Descriptor, info: RequestInfo, requestUrl: string): ProxyTarget {
  const marker = '/proxy';
  const at = requestUrl.indexOf(marker, requestUrl.indexOf(`/${descriptor.type.resource}/`));
  const path = requestUrl.slice(at + marker.length) || '/';
  const rest = path.startsWith('/') ? path : `/${path}`;
  const { scheme, name, port } = parseProxyName(info.name);
  switch (descriptor.type.resource) {
    case 'pods': {
      const pod = store.get(pods, name, info.namespace)?.object;
      if (pod === undefined) throw statusErrors.notFound(pods, name);
      const address = pod.status.podIP;
      if (!address) throw statusErrors.badRequest('address not allowed');
      const first = pod.spec.containers.flatMap((container) => container.ports ?? [])[0]?.containerPort;
      return { url: new URL(`${scheme}://${host(address)}:${port || (first ?? 80)}${rest}`), kubelet: false };
    }
    case 'services':
      return {
        url: new URL(`${scheme}://${serviceEndpoint(store, info.namespace, name, port)}${rest}`),
        kubelet: false,
      };
    case 'nodes': {
      const node = store.get(nodes, name)?.object;
      if (node === undefined) throw statusErrors.notFound(nodes, name);
      const address = node.status.addresses?.find(({ type }) => type === 'InternalIP')?.address;
      if (address === undefined) throw statusErrors.badRequest('address not allowed');
      const kubeletPort = node.status.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250;
      const secure = port === '' || port === String(kubeletPort) ? 'https' : scheme;
      return {
        url: new URL(`${secure}://${host(address)}:${port || kubeletPort}${rest}`),
        kubelet: secure === 'https',
      };
    }
    default:
      throw statusErrors.pathNotFound();
  }
}

const host = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** A ready endpoint of a Service, picked at random. */
export function serviceEndpoint(store: Store, namespace: string, name: string, port: string): string {
  const service = store.get(services, name, namespace)?.object;
  if (service === undefined) throw statusErrors.notFound(services, name);
  const wanted = (service.spec.ports ?? []).find(
    (candidate) => port === '' || candidate.name === port || String(candidate.port) === port,
  );
  const found = store
    .list(endpointSlices, namespace)
    .map((stored) => stored.object)
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name)
    .flatMap((slice) => {
      const number = slice.ports?.find((candidate) => (candidate.name ?? '') === (wanted?.name ?? ''))?.port;
      if (number === undefined) return [];
      return (slice.endpoints ?? [])
        .filter((endpoint) => endpoint.conditions?.ready !== false)
        .flatMap((endpoint) => endpoint.addresses.map((address) => `${host(address)}:${number}`));
    });
  const chosen = found[Math.floor(Math.random() * found.length)];
  if (wanted === undefined || chosen === undefined) {
    throw statusErrors.serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  }
  return chosen;
}
