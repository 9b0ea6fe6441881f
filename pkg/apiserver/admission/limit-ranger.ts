import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '../../api/generated/core-v1.ts';
import { limitRanges, persistentVolumeClaims, pods } from '../../api/resources.ts';
import { aggregateText } from '../../apimachinery/field-error.ts';
import { podResources, type Quantities, quantitiesOf } from '../../apimachinery/pod-resources.ts';
import { parseQuantity, type Quantity } from '../../apimachinery/quantity.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

/** Upstream's LimitRanger: containers get the namespace's defaults, and what is out of its bounds is refused. */
export function limitRanger(store: Store): AdmissionPlugin {
  const rangesOf = (attributes: AdmissionAttributes): LimitRange[] =>
    isLimited(attributes) ? store.list(limitRanges, attributes.namespace).map(({ object }) => object) : [];
  return {
    name: 'LimitRanger',
    mutate(attributes) {
      if (attributes.descriptor.type !== pods) return;
      for (const range of rangesOf(attributes)) setDefaults(attributes.object as Pod, range);
    },
    validate(attributes) {
      const { descriptor, object } = attributes;
      for (const { spec } of rangesOf(attributes)) {
        const items = spec.limits ?? [];
        const errors =
          descriptor.type === pods
            ? items.flatMap((item) => podErrors(object as Pod, item))
            : items.flatMap((item) => claimErrors(object as PersistentVolumeClaim, item));
        if (errors.length === 0) continue;
        throw statusErrors.forbidden(descriptor.type, object.metadata.name ?? '', aggregateText(errors));
      }
    },
  };
}

function isLimited({ descriptor, operation, subresource }: AdmissionAttributes): boolean {
  if (subresource !== undefined) return descriptor.type === pods && subresource === 'resize';
  if (descriptor.type === pods) return operation === 'CREATE';
  return descriptor.type === persistentVolumeClaims && operation !== 'DELETE';
}

/** Fills in what the containers leave unsaid, and notes on the Pod what that was. */
function setDefaults(pod: Pod, { spec }: LimitRange): void {
  const limits: Record<string, string> = {};
  const requests: Record<string, string> = {};
  for (const item of spec.limits ?? []) {
    if (item.type !== 'Container') continue;
    Object.assign(limits, item.default);
    Object.assign(requests, item.defaultRequest);
  }
  const notes: string[] = [];
  const fill = (container: Container, what: string): void => {
    container.resources ??= {};
    const { resources } = container;
    for (const [side, defaults] of [
      ['requests', requests],
      ['limits', limits],
    ] as const) {
      const unsaid = Object.keys(defaults).filter((name) => resources[side]?.[name] === undefined);
      if (unsaid.length === 0) continue;
      resources[side] = {
        ...resources[side],
        ...Object.fromEntries(unsaid.map((name) => [name, defaults[name] ?? ''])),
      };
      notes.push(`${unsaid.sort().join(', ')} ${side.slice(0, -1)} for ${what} ${container.name}`);
    }
  };
  for (const container of pod.spec.containers ?? []) fill(container, 'container');
  for (const container of pod.spec.initContainers ?? []) fill(container, 'init container');
  if (notes.length === 0) return;
  const note = `LimitRanger plugin set: ${notes.join('; ')}`;
  pod.metadata.annotations = { ...pod.metadata.annotations, [ANNOTATION]: note };
}

function podErrors(pod: Pod, item: LimitRangeItem): string[] {
  if (item.type === 'Pod') return boundErrors(item, podResources(pod, 'requests'), podResources(pod, 'limits'));
  if (item.type !== 'Container') return [];
  return [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].flatMap(({ resources }) =>
    boundErrors(item, quantitiesOf(resources?.requests), quantitiesOf(resources?.limits)),
  );
}

function claimErrors({ spec }: PersistentVolumeClaim, item: LimitRangeItem): string[] {
  if (item.type !== 'PersistentVolumeClaim') return [];
  const requests = quantitiesOf(spec.resources?.requests);
  return [...minErrors(item, requests, new Map()), ...maxErrors(item, 'request', requests, new Map())];
}

function boundErrors(item: LimitRangeItem, requests: Quantities, limits: Quantities): string[] {
  return [
    ...minErrors(item, requests, limits),
    ...maxErrors(item, 'limit', limits, requests),
    ...ratioErrors(item, requests, limits),
  ];
}

const byName = (list: Readonly<Record<string, string>> | undefined): [string, string][] =>
  Object.entries(list ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

function minErrors({ type, min }: LimitRangeItem, requests: Quantities, limits: Quantities): string[] {
  return byName(min).flatMap(([name, bound]) => {
    const text = `minimum ${name} usage per ${type} is ${bound}`;
    const [request, limit] = [requests.get(name), limits.get(name)];
    if (request === undefined) return [`${text}.  No request is specified`];
    if (isLess(request, parseQuantity(bound))) return [`${text}, but request is ${request}`];
    if (limit !== undefined && isLess(limit, parseQuantity(bound))) return [`${text}, but limit is ${limit}`];
    return [];
  });
}

/** `first` has to be said and must not be more; nor may `second`, if it is said. */
function maxErrors(
  { type, max }: LimitRangeItem,
  side: 'request' | 'limit',
  first: Quantities,
  second: Quantities,
): string[] {
  return byName(max).flatMap(([name, bound]) => {
    const text = `maximum ${name} usage per ${type} is ${bound}`;
    const [amount, other] = [first.get(name), second.get(name)];
    if (amount === undefined) return [`${text}.  No ${side} is specified`];
    if (isLess(parseQuantity(bound), amount)) return [`${text}, but ${side} is ${amount}`];
    if (other !== undefined && isLess(parseQuantity(bound), other)) return [`${text}, but request is ${other}`];
    return [];
  });
}

function ratioErrors(
  { type, maxLimitRequestRatio }: LimitRangeItem,
  requests: Quantities,
  limits: Quantities,
): string[] {
  return byName(maxLimitRequestRatio).flatMap(([name, bound]) => {
    const text = `${name} max limit to request ratio per ${type} is ${bound}, but`;
    const [request, limit] = [requests.get(name), limits.get(name)];
    if (request === undefined || request.isZero) return [`${text} no request is specified or request is 0`];
    if (limit === undefined || limit.isZero) return [`${text} no limit is specified or limit is 0`];
    const ratio = limit.toNumber() / request.toNumber();
    return ratio > parseQuantity(bound).toNumber() ? [`${text} provided ratio is ${ratio.toFixed(6)}`] : [];
  });
}

const isLess = (a: Quantity, b: Quantity): boolean => a.compare(b) < 0;
