import { randomBytes } from 'node:crypto';

/** A unicast hardware address that no manufacturer gave. */
export function randomHardwareAddress(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
