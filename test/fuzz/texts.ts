import type { Random } from './random.ts';

/** Texts that have broken parsers before. None is an address outside of the loopback. */
const STRANGE: readonly string[] = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\ufeff',
  '\u202e',
  '../../etc/passwd',
  '/',
  '.',
  '..',
  '%',
  '%00',
  '%zz',
  '%2e%2e%2f',
  '{{',
  '$(x)',
  '$'.concat('{x}'),
  '-',
  '--',
  '_',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'null',
  'true',
  'NaN',
  'Infinity',
  '-0',
  '1e400',
  '0x10',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775809',
  '18446744073709551616',
  '9'.repeat(400),
  'x'.repeat(64),
  'x'.repeat(254),
  'x'.repeat(5000),
  'a,b',
  'a=b',
  'a in (b,c)',
  'é',
  '日本語',
  '😀'.repeat(20),
  'A.B.C',
  'a.b.c.d.e.f',
  '\n',
  '\r\nx: y',
  '"',
  "'",
  '\\',
  '[*]',
  '(((((((((((',
  '1Ei',
  '1e9999999999',
  '0.0000000000000000000001',
  '999999999999999999999999Gi',
  '* * * * *',
  '@every 1s',
  '0 0 31 2 *',
  '2024-02-30T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '127.0.0.1',
  '::1',
  '127.0.0.0/33',
];

export const strangeText = (random: Random): string => random.pick(STRANGE);

/** A text with some of its characters removed, doubled, or replaced. */
export function mutateText(random: Random, text: string): string {
  let changed = text;
  for (let round = random.below(3) + 1; round > 0; round--) {
    const at = random.below(changed.length + 1);
    const until = at + random.below(Math.min(8, changed.length - at + 1));
    const by = random.weighted<() => string>([
      [2, () => ''],
      [2, () => changed.slice(at, until).repeat(2)],
      [2, () => String.fromCharCode(random.below(128))],
      [1, () => String.fromCodePoint(random.below(0xd800))],
      [2, () => strangeText(random)],
    ])();
    changed = changed.slice(0, at) + by + changed.slice(until);
  }
  return changed;
}

/** Bytes with bits flipped, parts cut out or doubled, or bytes put in between. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  let changed = bytes;
  for (let round = random.below(4) + 1; round > 0; round--) {
    const at = random.below(changed.length + 1);
    const until = Math.min(changed.length, at + random.below(32));
    const piece = random.weighted<() => Buffer>([
      [3, () => flipped(random, changed.subarray(at, until))],
      [2, () => Buffer.alloc(0)],
      [2, () => random.bytes(random.below(8) + 1)],
      [1, () => Buffer.concat([changed.subarray(at, until), changed.subarray(at, until)])],
      [1, () => Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])],
    ])();
    changed = Buffer.concat([changed.subarray(0, at), piece, changed.subarray(until)]);
  }
  return random.chance(0.1) ? changed.subarray(0, random.below(changed.length + 1)) : changed;
}

function flipped(random: Random, bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (random.chance(0.3) ? byte ^ (1 << random.below(8)) : byte)));
}
