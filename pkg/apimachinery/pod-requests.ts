/** Amounts of resources as plain numbers: millicores for `cpu`, whole units (bytes, pieces) for everything else. */
import type { Container, Pod } from '../api/generated/core-v1.ts';
import { parseQuantity } from './quantity.ts';

export type Amounts = Map<string, number>;
type Quantities = Readonly<Record<string, string>> | undefined;

/** What a container without a request counts as when nodes are scored, so that such Pods spread as well. */
const DEFAULT_CPU = 100;
const DEFAULT_MEMORY = 200 * 1024 * 1024;

export function amountsOf(quantities: Quantities): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, text] of Object.entries(quantities ?? {})) {
    const quantity = parseQuantity(text);
    amounts.set(name, name === 'cpu' ? quantity.milliValue() : quantity.value());
  }
  return amounts;
}

/** Adds `factor` times `more` to `amounts`. */
export function addAmounts(amounts: Amounts, more: Amounts, factor = 1): void {
  for (const [name, amount] of more) amounts.set(name, (amounts.get(name) ?? 0) + factor * amount);
}

function raiseTo(amounts: Amounts, floor: Amounts): void {
  for (const [name, amount] of floor) amounts.set(name, Math.max(amounts.get(name) ?? 0, amount));
}

function containerRequests(container: Pick<Container, 'resources'>, forScore: boolean): Amounts {
  const amounts = amountsOf(container.resources?.requests);
  if (forScore && !amounts.has('cpu')) amounts.set('cpu', DEFAULT_CPU);
  if (forScore && !amounts.has('memory')) amounts.set('memory', DEFAULT_MEMORY);
  return amounts;
}

/**
 * What the Pod as a whole asks for: its containers and sidecars together, or an init container with the sidecars
 * started before it if that is more, plus overhead; requests of the Pod itself replace what its containers ask for.
 * With `forScore`, containers that ask for no CPU or memory count as asking for a little.
 */
export function podRequests(pod: Pod, forScore = false): Amounts {
  const total: Amounts = new Map();
  for (const container of pod.spec.containers) addAmounts(total, containerRequests(container, forScore));
  const sidecars: Amounts = new Map();
  const initPeak: Amounts = new Map();
  for (const container of pod.spec.initContainers ?? []) {
    const requests = containerRequests(container, forScore);
    if (container.restartPolicy === 'Always') {
      addAmounts(total, requests);
      addAmounts(sidecars, requests);
      raiseTo(initPeak, sidecars);
    } else {
      addAmounts(requests, sidecars);
      raiseTo(initPeak, requests);
    }
  }
  raiseTo(total, initPeak);
  for (const [name, amount] of amountsOf(pod.spec.resources?.requests)) total.set(name, amount);
  addAmounts(total, amountsOf(pod.spec.overhead));
  return total;
}
