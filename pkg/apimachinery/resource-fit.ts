import type { Amounts } from './pod-requests.ts';

/** What a node has, and what the Pods on it take of it. */
export interface NodeRoom {
  readonly allocatable: ReadonlyMap<string, number>;
  readonly requested: ReadonlyMap<string, number>;
  readonly podCount: number;
}

/** One resource of which there is too little; amounts as in pod-requests.ts. */
export interface Shortage {
  readonly resource: string;
  /** As it appears in events: `Insufficient cpu`. */
  readonly reason: string;
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

/** The order in which shortages are told. */
const FIRST = ['cpu', 'memory', 'ephemeral-storage'];

/** What `room` lacks for one more Pod that asks for `requests`: upstream's noderesources.Fits. */
export function shortages(requests: Amounts, room: NodeRoom): Shortage[] {
  const found: Shortage[] = [];
  const check = (resource: string, reason: string, requested: number, used: number): void => {
    const capacity = room.allocatable.get(resource) ?? 0;
    if (requested > 0 && requested > capacity - used) found.push({ resource, reason, requested, used, capacity });
  };
  check('pods', 'Too many pods', 1, room.podCount);
  for (const name of [...FIRST, ...[...requests.keys()].filter((key) => !FIRST.includes(key))]) {
    check(name, `Insufficient ${name}`, requests.get(name) ?? 0, room.requested.get(name) ?? 0);
  }
  return found;
}
