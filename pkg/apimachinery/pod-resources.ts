import type { Container, Pod, PodSpec } from '../api/generated/core-v1.ts';
import { maxQuantity, parseQuantity, type Quantity } from './quantity.ts';

/** Exact amounts by the name of the resource. */
export type Quantities = Map<string, Quantity>;

export function quantitiesOf(list: Readonly<Record<string, string>> | undefined): Quantities {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
}

export function addQuantities(total: Quantities, more: Quantities): void {
  for (const [name, amount] of more) total.set(name, total.get(name)?.add(amount) ?? amount);
}

function raise(total: Quantities, floor: Quantities): void {
  for (const [name, amount] of floor) total.set(name, maxQuantity(total.get(name) ?? amount, amount));
}

/**
 * What the containers of a Pod have together (k8s.io/component-helpers/resource): its containers and sidecars, or an init
 * container with the sidecars before it if that is more.
 */
export function containerResources(spec: PodSpec, which: 'requests' | 'limits'): Quantities {
  const of = ({ resources }: Pick<Container, 'resources'>): Quantities => quantitiesOf(resources?.[which]);
  const total: Quantities = new Map();
  for (const container of spec.containers ?? []) addQuantities(total, of(container));
  const sidecars: Quantities = new Map();
  const peak: Quantities = new Map();
  for (const container of spec.initContainers ?? []) {
    const amounts = of(container);
    if (container.restartPolicy === 'Always') {
      addQuantities(total, amounts);
      addQuantities(sidecars, amounts);
      raise(peak, sidecars);
    } else {
      addQuantities(amounts, sidecars);
      raise(peak, amounts);
    }
  }
  raise(total, peak);
  return total;
}

/**
 * The requests or limits of the Pod as a whole: what it says itself goes before what its containers say; then its
 * overhead, for limits only where there is one.
 */
export function podResources({ spec }: Pod, which: 'requests' | 'limits'): Quantities {
  const total = containerResources(spec, which);
  for (const [name, amount] of quantitiesOf(spec.resources?.[which])) total.set(name, amount);
  const overhead = quantitiesOf(spec.overhead);
  if (which === 'limits') for (const name of overhead.keys()) if (!total.has(name)) overhead.delete(name);
  addQuantities(total, overhead);
  return total;
}
