import { isIPv4, isIPv6 } from 'node:net';

/** IP addresses and CIDR blocks of both families, as numbers that can be compared and counted. */

export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface CIDR {
  readonly family: 4 | 6;
  /** The first address. */
  readonly base: bigint;
  /** Length of the prefix in bits. */
  readonly prefix: number;
}

function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

/** Reads an address in its usual notation; undefined when the text is none. IPv6 zones are not accepted. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) {
    return { family: 4, value: text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  }
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return { family: 6, value: valueOfIPv6(text) };
}

function valueOfIPv6(text: string): bigint {
  // A dotted tail stands for the last two groups.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  let plain = text;
  if (dotted !== null) {
    const tail = parseAddress(dotted[2] ?? '')?.value ?? 0n;
    plain = `${dotted[1]}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = new Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}

/** The usual notation; IPv6 as RFC 5952 says (lower case, longest run of zero groups as `::`). */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const runs = [
    ...groups
      .map((group) => (group === '0' ? '0' : '1'))
      .join('')
      .matchAll(/0{2,}/g),
  ];
  const longest = runs.sort((a, b) => b[0].length - a[0].length || a.index - b.index)[0];
  if (longest === undefined) return groups.join(':');
  return `${groups.slice(0, longest.index).join(':')}::${groups.slice(longest.index + longest[0].length).join(':')}`;
}

/** Reads `address/prefix`; bits behind the prefix are dropped, as Go's net.ParseCIDR does. Undefined when malformed. */
export function parseCIDR(text: string): CIDR | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = parseAddress(match?.[1] ?? '');
  if (address === undefined) return undefined;
  const prefix = Number(match?.[2]);
  if (prefix > bitsOf(address.family)) return undefined;
  const hostBits = BigInt(bitsOf(address.family) - prefix);
  return { family: address.family, base: (address.value >> hostBits) << hostBits, prefix };
}

export function formatCIDR(cidr: CIDR): string {
  return `${formatAddress({ family: cidr.family, value: cidr.base })}/${cidr.prefix}`;
}

/** How many addresses the block has. */
export function sizeOf(cidr: CIDR): bigint {
  return 1n << BigInt(bitsOf(cidr.family) - cidr.prefix);
}

/** The address `index` places after the block's first. Throws RangeError when the block ends before it. */
export function addressAt(cidr: CIDR, index: bigint): Address {
  if (index < 0n || index >= sizeOf(cidr)) throw new RangeError(`${formatCIDR(cidr)} has no address ${index}`);
  return { family: cidr.family, value: cidr.base + index };
}

export function containsAddress(cidr: CIDR, address: Address): boolean {
  return cidr.family === address.family && address.value >= cidr.base && address.value < cidr.base + sizeOf(cidr);
}

export function overlap(a: CIDR, b: CIDR): boolean {
  return a.family === b.family && a.base < b.base + sizeOf(b) && b.base < a.base + sizeOf(a);
}
