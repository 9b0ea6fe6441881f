import type { ObjectMeta } from './generated/meta-v1.ts';

/** What every API object has. */
export interface KubeObject {
  apiVersion?: string | undefined;
  kind?: string | undefined;
  metadata: ObjectMeta;
}

/** An object as a client writes it: everything the server fills in may be left out. */
export type Input<T> = T extends readonly (infer Item)[]
  ? Input<Item>[]
  : T extends object
    ? { [Key in keyof T]?: Input<T[Key]> | undefined }
    : T;

/** Names one resource of the API and the type of its objects. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Plural, as in the URL. */
  readonly resource: string;
  readonly namespaced: boolean;
  /** Carries T for inference; never set. */
  readonly objectType?: T;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(type: { readonly group: string; readonly version: string }): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}
