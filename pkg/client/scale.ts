import type { Scale } from '../api/generated/autoscaling-v1.ts';

/** A kind that may be scaled, as references name it. */
export interface ScaleKind {
  readonly apiVersion: string;
  readonly kind: string;
}

export interface ScaleTarget extends ScaleKind {
  readonly name: string;
  readonly namespace: string;
}

/** The `scale` subresource of any kind that has one, custom resources included. Refusals are StatusErrors. */
export interface ScaleAccess {
  get(target: ScaleTarget): Promise<Scale>;
  /** Sets the number of replicas that `scale` asks for; Conflict when the object is no longer the version it was read at. */
  update(kind: ScaleKind, scale: Scale): Promise<Scale>;
}
