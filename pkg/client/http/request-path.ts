import type { ResourceType } from '../../api/types.ts';

export interface RequestTarget {
  /** Ignored for resources of the cluster; all namespaces when left out. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** `/apis/apps/v1/namespaces/default/deployments/web/status?fieldManager=kedge`; parameters without value are left out. */
export function requestPath(type: ResourceType, target: RequestTarget, query: Query = {}): string {
  const parts = type.group === '' ? ['api', type.version] : ['apis', type.group, type.version];
  if (type.namespaced && target.namespace !== undefined) parts.push('namespaces', target.namespace);
  parts.push(type.resource);
  if (target.name !== undefined) parts.push(target.name);
  if (target.subresource !== undefined) parts.push(target.subresource);
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
  const path = `/${parts.map(encodeURIComponent).join('/')}`;
  return parameters.size === 0 ? path : `${path}?${parameters}`;
}
