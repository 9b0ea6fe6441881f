import type { Container, Pod } from '../api/generated/core-v1.ts';
import { parseQuantity } from './quantity.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const COMPUTE = ['cpu', 'memory'] as const;

function amount(list: Readonly<Record<string, string>> | undefined, name: string): bigint {
  const text = list?.[name];
  return text === undefined ? 0n : parseQuantity(text).nanos;
}

type Resources = Container['resources'];

function classify(all: readonly Resources[]): QosClass {
  const none = all.every(
    (resources) =>
      !COMPUTE.some((name) => amount(resources.requests, name) > 0n || amount(resources.limits, name) > 0n),
  );
  if (none) return 'BestEffort';
  const guaranteed = all.every((resources) =>
    COMPUTE.every((name) => {
      const limit = amount(resources.limits, name);
      const request = resources.requests?.[name] === undefined ? limit : amount(resources.requests, name);
      return limit > 0n && request === limit;
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** The Pod's quality of service, by the cpu and memory its containers ask for (upstream qos.ComputePodQOS). */
export function qosClass(pod: Pod): QosClass {
  const podLevel = pod.spec.resources;
  if (podLevel !== undefined && (podLevel.requests !== undefined || podLevel.limits !== undefined)) {
    return classify([podLevel]);
  }
  return classify(
    [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])].map((container) => container.resources),
  );
}
