import type { HorizontalPodAutoscalerCondition } from '../../api/generated/autoscaling-v2.ts';

export type ConditionType = 'AbleToScale' | 'ScalingActive' | 'ScalingLimited';

/** The conditions of an autoscaler while it is being worked on; a time moves with a status only. */
export class Conditions {
  #list: readonly HorizontalPodAutoscalerCondition[];
  readonly #now: string;

  constructor(list: readonly HorizontalPodAutoscalerCondition[] | undefined, now: string) {
    this.#list = list ?? [];
    this.#now = now;
  }

  get list(): HorizontalPodAutoscalerCondition[] {
    return [...this.#list];
  }

  set(type: ConditionType, holds: boolean, reason: string, message: string): void {
    const status = holds ? 'True' : 'False';
    const old = this.#list.find((condition) => condition.type === type);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : this.#now;
    const next = { type, status, lastTransitionTime, reason, message };
    this.#list =
      old === undefined ? [...this.#list, next] : this.#list.map((condition) => (condition === old ? next : condition));
  }
}
