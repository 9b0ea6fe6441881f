import type { Pod, Service } from '../../api/generated/core-v1.ts';
import { formatTime, parseTime } from '../../apimachinery/time.ts';
import { readyTransitionTime } from '../pod-state.ts';

export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

interface Seen {
  readonly service: number;
  readonly pods: ReadonlyMap<string, number>;
}

/**
 * Finds, per Service, when the change happened that its endpoints are being rewritten for: the earliest of the
 * transitions not seen before. From it the delay of the network programming is measured.
 */
export class TriggerTimes {
  readonly #seen = new Map<string, Seen>();

  /** The formatted time, undefined when no new transition explains the change; remembers what it has seen. */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const before = this.#seen.get(key);
    const times = new Map<string, number>();
    let earliest: number | undefined;
    const note = (time: number, known: number | undefined): void => {
      if (known === undefined || time > known) earliest = Math.min(earliest ?? time, time);
    };
    for (const pod of pods) {
      const time = readyTransitionTime(pod);
      if (time === undefined) continue;
      times.set(pod.metadata.name, time);
      note(time, before?.pods.get(pod.metadata.name));
    }
    const created = parseTime(service.metadata.creationTimestamp) ?? 0;
    note(created, before?.service);
    this.#seen.set(key, { service: created, pods: times });
    return earliest === undefined ? undefined : formatTime(earliest);
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}

/** `annotations` with the trigger time set, or without one. */
export function withTriggerTime(
  annotations: Readonly<Record<string, string>> | undefined,
  time: string | undefined,
): Record<string, string> {
  const { [TRIGGER_TIME]: _, ...rest } = annotations ?? {};
  return time === undefined ? rest : { ...rest, [TRIGGER_TIME]: time };
}
