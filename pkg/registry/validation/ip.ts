import { fieldError } from '../../apimachinery/field-error.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import { type CIDR, containsAddress, parseAddress, parseCIDR } from '../../base/ip.ts';
import type { Findings } from './rules.ts';

/** Addresses that mean something else on every machine, with the words for them. */
const SPECIAL: readonly (readonly [readonly string[], string])[] = [
  [['0.0.0.0/32', '::/128'], 'may not be unspecified (0.0.0.0 or ::)'],
  [['127.0.0.0/8', '::1/128'], 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  [['169.254.0.0/16', 'fe80::/10'], 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  [['224.0.0.0/24', 'ff02::/16'], 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
];

/** Upstream's ValidateEndpointIP (ValidateNonSpecialIP): an address that can be reached from elsewhere. */
export function* ordinaryIP(path: FieldPath, value: string): Findings {
  const address = parseAddress(value);
  if (address === undefined) {
    return yield fieldError.invalid(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  }
  for (const [ranges, text] of SPECIAL) {
    const special = ranges
      .map(parseCIDR)
      .some((range: CIDR | undefined) => range?.family === address.family && containsAddress(range, address));
    if (special) yield fieldError.invalid(path, value, text);
  }
}
