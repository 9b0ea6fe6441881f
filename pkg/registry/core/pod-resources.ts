import type { Container, PodSpec } from '../../api/generated/core-v1.ts';
import { containerResources } from '../../apimachinery/pod-resources.ts';
import { isHugePages, isOvercommitAllowed, isPodLevelResource } from './validation/resource-names.ts';

type Amounts = Record<string, string>;
type Kind = 'limits' | 'requests';

const isEmpty = (amounts: Amounts | undefined): boolean => Object.keys(amounts ?? {}).length === 0;

/**
 * Completes what a Pod says of its containers as a whole, in place, from what it says of each (upstream's
 * defaultHugePagePodLimits, defaultPodRequests and defaultPodLimits); a Pod that says nothing stays silent.
 */
export function defaultPodResources(spec: PodSpec): void {
  const { resources } = spec;
  if (resources === undefined || (isEmpty(resources.limits) && isEmpty(resources.requests))) return;
  const add = (kind: Kind, more: Amounts): void => {
    if (!isEmpty(more)) resources[kind] = { ...more, ...resources[kind] };
  };
  const sums = (kind: Kind, takes: (name: string) => boolean): Amounts =>
    Object.fromEntries(
      [...containerResources(spec, kind)].filter(([name]) => takes(name)).map(([n, q]) => [n, String(q)]),
    );
  add(
    'limits',
    sums('limits', (name) => isHugePages(name) && resources.requests?.[name] === undefined),
  );
  const hadLimits = !isEmpty(resources.limits);
  if (hadLimits) {
    add(
      'requests',
      sums('requests', (name) => isPodLevelResource(name) && isOvercommitAllowed(name)),
    );
    const limits = Object.entries(resources.limits ?? {}).filter(([name]) => isPodLevelResource(name));
    add('requests', Object.fromEntries(limits));
    return;
  }
  const all = longLived(spec);
  const isLimited = (name: string): boolean => all.every(({ resources: own }) => own?.limits?.[name] !== undefined);
  add(
    'limits',
    sums('limits', (name) => isPodLevelResource(name) && isOvercommitAllowed(name) && isLimited(name)),
  );
}

const longLived = (spec: PodSpec): readonly Container[] => [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
