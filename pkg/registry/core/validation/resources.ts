import type { PodResourceClaim, ResourceClaim, ResourceRequirements } from '../../../api/generated/core-v1.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isQualifiedName } from '../../../apimachinery/names.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import { dnsLabel, dnsSubdomain, type Findings } from '../../validation/rules.ts';
import {
  isExtended,
  isHugePages,
  isIntegral,
  isNative,
  isOvercommitAllowed,
  isStandardContainerResource,
  isStandardResource,
} from './resource-names.ts';

type Amounts = Readonly<Record<string, string>>;

/** Amounts by name, in the order in which they are told of. */
export const sortedAmounts = (amounts: Amounts | undefined): [string, string][] =>
  Object.entries(amounts ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

/** Upstream's ValidateContainerResourceRequirements; `claims` are the names of the Pod's. */
export function* validateResources(
  resources: ResourceRequirements,
  claims: ReadonlySet<string>,
  path: FieldPath,
  validateName: (name: string, path: FieldPath) => Findings = containerResourceName,
): Findings {
  const { limits, requests } = resources;
  const limitPath = path.child('limits');
  const requestPath = path.child('requests');
  const names = new Set([...Object.keys(limits ?? {}), ...Object.keys(requests ?? {})]);
  for (const [name, amount] of sortedAmounts(limits)) {
    const at = limitPath.key(name);
    yield* validateName(name, at);
    yield* resourceAmount(name, amount, at);
    yield* wholePages(name, amount, at);
  }
  for (const [name, amount] of sortedAmounts(requests)) {
    const at = requestPath.key(name);
    yield* validateName(name, at);
    yield* resourceAmount(name, amount, at);
    const limit = limits?.[name];
    if (limit !== undefined) yield* withinLimit(name, amount, limit, requestPath);
    else if (!isOvercommitAllowed(name)) {
      yield fieldError.required(limitPath, 'Limit must be set for non overcommitable resources');
    }
    yield* wholePages(name, amount, at);
  }
  if ([...names].some(isHugePages) && !names.has('cpu') && !names.has('memory')) {
    yield fieldError.forbidden(path, 'HugePages require cpu or memory');
  }
  yield* claimNames(resources.claims ?? [], claims, path.child('claims'));
}

/** Upstream's validateResourceClaimNames: a claim is used as a whole, or requests of it are. */
function* claimNames(used: readonly ResourceClaim[], known: ReadonlySet<string>, path: FieldPath): Findings {
  const seen = new Set<string>();
  for (const [index, { name, request }] of used.entries()) {
    const at = path.index(index);
    if (!name) {
      yield fieldError.required(at);
      continue;
    }
    if (seen.has(name)) yield fieldError.duplicate(at, name);
    else {
      if (request) yield* dnsLabel(at.child('request'), request);
      const key = request ? `${name}/${request}` : name;
      const overlapping = request ? [] : [...seen].filter((other) => other.startsWith(`${name}/`));
      if (seen.has(key)) yield fieldError.duplicate(at, key);
      for (const _ of overlapping) yield fieldError.duplicate(at, name);
      seen.add(key);
    }
    if (known.has(name)) continue;
    const error = fieldError.notFound(at, name);
    const those = known.size === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`;
    yield { ...error, body: `${error.body}: must be one of the names in pod.spec.resourceClaims${those}` };
  }
}

/** Huge pages come in multiples of their size. */
function* wholePages(name: string, amount: string, path: FieldPath): Findings {
  if (!isHugePages(name)) return;
  const size = pageSize(name);
  const quantity = parseQuantity(amount);
  if (size === undefined || quantity.nanos % size !== 0n) {
    yield fieldError.invalid(path, amount, `${amount} is not positive integer multiple of ${name}`);
  }
}

/** The size of a page in billionths of a byte; undefined when the name has none. */
function pageSize(name: string): bigint | undefined {
  try {
    const { nanos } = parseQuantity(name.slice('hugepages-'.length));
    return nanos > 0n ? nanos : undefined;
  } catch {
    return undefined;
  }
}

function* withinLimit(name: string, amount: string, limit: string, path: FieldPath): Findings {
  const order = parseQuantity(amount).compare(parseQuantity(limit));
  if (order !== 0 && !isOvercommitAllowed(name)) {
    yield fieldError.invalid(path, amount, `must be equal to ${name} limit of ${limit}`);
  } else if (order > 0) {
    yield fieldError.invalid(path, amount, `must be less than or equal to ${name} limit of ${limit}`);
  }
}

/** Names of resources are told without quotes. */
function invalidName(path: FieldPath, name: string, text: string) {
  return fieldError.invalid(path, new Verbatim(name), text);
}

/** Upstream's validateResourceName. */
export function* resourceName(name: string, path: FieldPath): Findings {
  const wrong = isQualifiedName(name);
  for (const text of wrong) yield invalidName(path, name, text);
  if (wrong.length === 0 && !name.includes('/') && !isStandardResource(name)) {
    yield invalidName(path, name, 'must be a standard resource type or fully qualified');
  }
}

/** Upstream's ValidateContainerResourceName. */
export function* containerResourceName(name: string, path: FieldPath): Findings {
  yield* resourceName(name, path);
  if (!name.includes('/')) {
    if (!isStandardContainerResource(name)) {
      yield invalidName(path, name, 'must be a standard resource for containers');
    }
  } else if (!isNative(name) && !isExtended(name)) {
    yield invalidName(path, name, "doesn't follow extended resource name standard");
  }
}

/** Upstream's validateBasicResource. */
export function* basicAmount(amount: string, path: FieldPath): Findings {
  const value = parseQuantity(amount).value();
  if (value < 0) yield fieldError.invalid(path, value, 'must be a valid resource quantity');
}

/** Upstream's ValidateResourceQuantityValue. */
export function* resourceAmount(name: string, amount: string, path: FieldPath): Findings {
  const quantity = parseQuantity(amount);
  if (quantity.nanos < 0n) yield fieldError.invalid(path, amount, 'must be greater than or equal to 0');
  if (isIntegral(name) && quantity.nanos % 1_000_000_000n !== 0n) {
    yield fieldError.invalid(path, goQuantity(amount), 'must be an integer');
  }
}

const SCALES: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** A quantity in Go's notation. */
export function goQuantity(amount: string): Verbatim {
  const [, digits = '0', suffix = ''] = /^(-?\d+)([a-zA-Z]*)$/.exec(amount) ?? [];
  const scale = Object.hasOwn(SCALES, suffix) ? SCALES[suffix] : undefined;
  const value = scale === undefined ? parseQuantity(amount).value() : digits;
  const format = suffix.endsWith('i') ? 'BinarySI' : 'DecimalSI';
  return new Verbatim(
    `resource.Quantity{i:resource.int64Amount{value:${value}, scale:${scale ?? 0}}, d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:${JSON.stringify(amount)}, Format:"${format}"}`,
  );
}

/** The names of a Pod's claims, for containers to refer to. */
export function* validatePodClaims(claims: readonly PodResourceClaim[], path: FieldPath): Findings {
  const seen = new Set<string>();
  for (const [index, claim] of claims.entries()) {
    const at = path.index(index);
    if (!claim.name) yield fieldError.required(at.child('name'));
    else if (seen.has(claim.name)) yield fieldError.duplicate(at.child('name'), claim.name);
    else yield* dnsLabel(at.child('name'), claim.name);
    seen.add(claim.name);
    const { resourceClaimName, resourceClaimTemplateName } = claim;
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      const text = 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified';
      yield fieldError.invalid(at, claim as never, text);
    } else if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      const text = 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`';
      yield fieldError.invalid(at, claim as never, text);
    }
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const name = claim[field];
      if (name !== undefined) yield* dnsSubdomain(at.child(field), name);
    }
  }
}
