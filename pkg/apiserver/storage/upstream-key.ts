import type { ResourceType } from '../../api/types.ts';

/** Resources whose key in upstream's etcd is not their plural. */
const SEGMENTS: Readonly<Record<string, string>> = {
  nodes: 'minions',
  services: 'services/specs',
  endpoints: 'services/endpoints',
  replicationcontrollers: 'controllers',
  ingresses: 'ingress',
};

/** Where upstream's API server stores an object: some of its messages quote this path. */
export function upstreamStorageKey(type: ResourceType, name: string, namespace: string | undefined): string {
  const isCustom = type.group.includes('.') && !type.group.endsWith('.k8s.io');
  const resource = isCustom ? `${type.group}/${type.resource}` : (SEGMENTS[type.resource] ?? type.resource);
  return `/registry/${resource}/${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
