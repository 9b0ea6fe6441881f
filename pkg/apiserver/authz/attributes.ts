import type { UserInfo } from '../../registry/user-info.ts';

/** What a request wants to do, as authorizers see it. */
export type Attributes = ResourceAttributes | NonResourceAttributes;

export interface ResourceAttributes {
  readonly user: UserInfo;
  /** `get`, `list`, `watch`, `create`, … or a special one (`impersonate`, `bind`, `escalate`, `approve`). */
  readonly verb: string;
  /** Empty for the core group. */
  readonly apiGroup: string;
  readonly apiVersion?: string;
  /** Plural. */
  readonly resource: string;
  /** Empty for the resource itself. */
  readonly subresource: string;
  /** Empty at the cluster scope. */
  readonly namespace: string;
  /** Empty when the request names no object (`list`, `create`). */
  readonly name: string;
  /** Parsed `fieldSelector`, of list, watch and deletecollection only. */
  readonly fieldSelector?: readonly FieldRequirement[];
}

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export interface NonResourceAttributes {
  readonly user: UserInfo;
  /** The HTTP method in lower case. */
  readonly verb: string;
  readonly path: string;
}

export function isResource(attributes: Attributes): attributes is ResourceAttributes {
  return 'resource' in attributes;
}

/**
 * `allow` and `deny` are final; with `none` the next authorizer is asked, and when there is no other the request is
 * refused. `reason` is for the person who asks why.
 */
export interface Decision {
  readonly decision: 'allow' | 'deny' | 'none';
  readonly reason: string;
}

export interface Authorizer {
  authorize(attributes: Attributes): Decision;
}

export const NO_OPINION: Decision = { decision: 'none', reason: '' };

/** `resource/subresource`, the form in which rules name it. */
export function combinedResource(attributes: { readonly resource: string; readonly subresource: string }): string {
  return attributes.subresource === '' ? attributes.resource : `${attributes.resource}/${attributes.subresource}`;
}
