import type { FieldPath } from '../../apimachinery/field-path.ts';
import { formatAddress, parseAddress } from '../../base/ip.ts';

const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** Leading zeros and mapped addresses, which Go once took and means to refuse: as they should be written. */
function oldForm(text: string): string | undefined {
  const dotted = MAPPED.exec(text)?.[1] ?? (IPV4.test(text) ? text : undefined);
  if (dotted === undefined) return undefined;
  const plain = dotted
    .split('.')
    .map((part) => String(Number(part)))
    .join('.');
  return plain === text ? undefined : plain;
}

/** Upstream's GetWarningsForIP. */
export function* warnOfIP(path: FieldPath, value: string): Generator<string, void> {
  const proper = oldForm(value);
  if (proper !== undefined) {
    yield `${path}: non-standard IP address ${JSON.stringify(value)} will be considered invalid in a future Kubernetes release: use ${JSON.stringify(proper)}`;
    return;
  }
  const address = parseAddress(value);
  if (address === undefined || address.family !== 6) return;
  const canonical = formatAddress(address);
  if (canonical !== value) {
    yield `${path}: IPv6 address ${JSON.stringify(value)} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`;
  }
}

/** Upstream's GetWarningsForCIDR. */
export function* warnOfCIDR(path: FieldPath, value: string): Generator<string, void> {
  const [text = '', length = ''] = value.split('/');
  const plain = oldForm(text) ?? text;
  const address = parseAddress(plain);
  const prefix = Number(length);
  if (address === undefined || !/^\d+$/.test(length)) return;
  const bits = address.family === 6 ? 128 : 32;
  const host = BigInt(Math.max(bits - prefix, 0));
  const network = { ...address, value: (address.value >> host) << host };
  const proper = `${formatAddress(network)}/${prefix}`;
  if (network.value !== address.value) {
    const single = `${formatAddress(address)}/${bits}`;
    yield `${path}: CIDR value ${JSON.stringify(value)} is ambiguous in this context (should be ${JSON.stringify(proper)} or ${JSON.stringify(single)}?)`;
  }
  if (plain !== text || length !== String(prefix)) {
    yield `${path}: non-standard CIDR value ${JSON.stringify(value)} will be considered invalid in a future Kubernetes release: use ${JSON.stringify(proper)}`;
    return;
  }
  if (network.value === address.value && address.family === 6 && proper !== value) {
    yield `${path}: IPv6 CIDR value ${JSON.stringify(value)} should be in RFC 5952 canonical format (${JSON.stringify(proper)})`;
  }
}
