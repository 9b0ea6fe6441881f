/** Rules that the validation of many kinds shares. Each yields what it finds wrong, in upstream's order and words. */
import type { Json } from '../../api/schema.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError } from '../../apimachinery/field-error.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isPortName,
  isPortNumber,
  isQualifiedName,
} from '../../apimachinery/names.ts';
import { parseAddress, parseCIDR } from '../../base/ip.ts';

/** What a rule finds. */
export type Findings = Generator<FieldError, void>;

const NOT_NEGATIVE = 'must be greater than or equal to 0';
const NOT_POSITIVE = 'must be greater than zero';
const IMMUTABLE = 'field is immutable';
/** All annotations of an object together (upstream: TotalAnnotationSizeLimitB). */
const ANNOTATIONS_LIMIT_BYTES = 256 * 1024;
export const NOT_AN_IP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

/** One finding per text that `check` returns. */
export function* each(path: FieldPath, value: string, check: (value: string) => string[]): Findings {
  for (const text of check(value)) yield fieldError.invalid(path, value, text);
}

export const dnsLabel = (path: FieldPath, value: string): Findings => each(path, value, isDns1123Label);
export const dnsSubdomain = (path: FieldPath, value: string): Findings => each(path, value, isDns1123Subdomain);
export const qualifiedName = (path: FieldPath, value: string): Findings => each(path, value, isQualifiedName);

export function* required(path: FieldPath, value: unknown, detail = ''): Findings {
  if (value === undefined || value === null || value === '') yield fieldError.required(path, detail);
}

/** A value that has to be there and one of `supported`, which are told in this order. */
export function* oneOf(path: FieldPath, value: string | null | undefined, supported: readonly string[]): Findings {
  if (!value) yield fieldError.required(path);
  else if (!supported.includes(value)) yield fieldError.notSupported(path, value, supported);
}

export function* nonNegative(path: FieldPath, value: number | undefined): Findings {
  if (value !== undefined && value < 0) yield fieldError.invalid(path, value, NOT_NEGATIVE);
}

export function* positive(path: FieldPath, value: number): Findings {
  if (value <= 0) yield fieldError.invalid(path, value, NOT_POSITIVE);
}

export function* inRange(path: FieldPath, value: number, low: number, high: number): Findings {
  if (value < low || value > high) {
    yield fieldError.invalid(path, value, `must be between ${low} and ${high}, inclusive`);
  }
}

export function* portNumber(path: FieldPath, value: number): Findings {
  for (const text of isPortNumber(value)) yield fieldError.invalid(path, value, text);
}

/** A port by number or by the name of a container's port. */
export function* portNumberOrName(path: FieldPath, value: number | string): Findings {
  if (typeof value === 'number') yield* portNumber(path, value);
  else yield* each(path, value, isPortName);
}

export function* ipAddress(path: FieldPath, value: string): Findings {
  if (parseAddress(value) === undefined) yield fieldError.invalid(path, value, NOT_AN_IP);
}

/** Upstream's ValidateAnnotations: keys are qualified names, whatever their case; there is a limit to all together. */
export function* validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
): Findings {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const text of isQualifiedName(key.toLowerCase())) yield fieldError.invalid(path, key, text);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > ANNOTATIONS_LIMIT_BYTES) yield fieldError.tooLong(path, ANNOTATIONS_LIMIT_BYTES);
}

/** A field that never changes. */
export function* unchanged(path: FieldPath, value: unknown, old: unknown): Findings {
  if (!semanticEqual(value, old)) yield fieldError.invalid(path, value as Json, IMMUTABLE);
}

export function* noBacksteps(path: FieldPath, value: string): Findings {
  if (value.split('/').includes('..')) yield fieldError.invalid(path, value, "must not contain '..'");
}

/** A path below some folder: relative, never climbing. */
export function* descendingPath(path: FieldPath, value: string): Findings {
  if (value.startsWith('/')) yield fieldError.invalid(path, value, 'must be a relative path');
  yield* noBacksteps(path, value);
}

/** A path below a volume: besides, names beginning with two dots are the kubelet's. */
export function* volumePath(path: FieldPath, value: string): Findings {
  yield* descendingPath(path, value);
  if (value.startsWith('..') && !value.startsWith('../')) {
    yield fieldError.invalid(path, value, "must not start with '..'");
  }
}

/** `example.com/name`: upstream's IsDomainPrefixedPath. */
export function* domainPrefixedPath(path: FieldPath, value: string): Findings {
  if (value === '') return yield fieldError.required(path);
  const slash = value.indexOf('/');
  const [domain, rest] = slash < 0 ? ['', ''] : [value.slice(0, slash), value.slice(slash + 1)];
  if (domain === '' || rest === '') {
    return yield fieldError.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")');
  }
  yield* dnsSubdomain(path, domain);
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(rest)) {
    const text = "Invalid path (e.g. 'acme.io/foo', regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
    yield fieldError.invalid(path, value, text);
  }
}

export function* cidr(path: FieldPath, value: string): Findings {
  if (parseCIDR(value) === undefined) {
    yield fieldError.invalid(path, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)');
  }
}
