import { fieldError } from '../../apimachinery/field-error.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import {
  type Address,
  type CIDR,
  containsAddress,
  formatAddress,
  formatCIDR,
  parseAddress,
  parseCIDR,
} from '../../base/ip.ts';
import { type Findings, ipAddress, NOT_AN_IP } from './rules.ts';

/** Addresses that mean something else on every machine, with the words for them. */
const SPECIAL: readonly (readonly [readonly string[], string])[] = [
  [['0.0.0.0/32', '::/128'], 'may not be unspecified'],
  [['127.0.0.0/8', '::1/128'], 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  [['169.254.0.0/16', 'fe80::/10'], 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  [['224.0.0.0/24', 'ff02::/16'], 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
];

/** Upstream's ValidateEndpointIP: an address that can be reached from elsewhere. */
export function* endpointIP(path: FieldPath, value: string): Findings {
  const address = parseAddress(value);
  if (address === undefined) return yield fieldError.invalid(path, value, 'must be a valid IP address');
  for (const [ranges, text] of SPECIAL) {
    const special = ranges
      .map(parseCIDR)
      .some((range: CIDR | undefined) => range?.family === address.family && containsAddress(range, address));
    if (special) yield fieldError.invalid(path, value, text.endsWith('unspecified') ? `${text} (${value})` : text);
  }
}

/** The same of a value that may be no address at all, which is told once. */
export function* ordinaryIP(path: FieldPath, value: string): Findings {
  const wrong = [...ipAddress(path, value)];
  if (wrong.length > 0) yield* wrong;
  else yield* endpointIP(path, value);
}

const isMapped = ({ family, value }: Address): boolean => family === 6 && value >> 32n === 0xffffn;

/** Upstream's IsValidIP, of fields that never took anything but the one usual notation. */
export function isCanonicalIP(value: string): string[] {
  const address = parseAddress(value);
  if (address === undefined) return [NOT_AN_IP];
  if (isMapped(address)) return ['must not be an IPv4-mapped IPv6 address'];
  const usual = formatAddress(address);
  return usual === value ? [] : [`must be in canonical form ("${usual}")`];
}

/** Upstream's IsValidCIDR, likewise. */
export function isCanonicalCIDR(value: string): string[] {
  const range = parseCIDR(value);
  if (range === undefined) return ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
  const address = parseAddress(value.slice(0, value.indexOf('/')));
  if (address !== undefined && isMapped(address)) return ['must not have an IPv4-mapped IPv6 address'];
  if (address?.value !== range.base) return ['must not have bits set beyond the prefix length'];
  const usual = formatCIDR(range);
  return usual === value ? [] : [`must be in canonical form ("${usual}")`];
}

/** Upstream's IsValidInterfaceAddress: an address and the length of its network's prefix. */
export function interfaceAddressError(value: string): string | undefined {
  const range = parseCIDR(value);
  const address = parseAddress(value.slice(0, value.indexOf('/')));
  if (range === undefined || address === undefined) {
    return 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)';
  }
  const usual = `${formatAddress(address)}/${range.prefix}`;
  return usual === value ? undefined : `must be in canonical form ("${usual}")`;
}
