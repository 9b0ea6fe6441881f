/** As much of ASN.1's DER as certificate signing requests take (X.690). */

/** Tags of universal types, and of SEQUENCE and SET in their constructed form. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A value with its tag and length. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return der(TAG.sequence, ...contents);
}

/** An object identifier from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(TAG.oid, Buffer.from(bytes));
}

/** Thrown for bytes that are no DER, or not the structure that was expected. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** A value that was read: its parts are views of the bytes it was read from. */
export class DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag and length included. */
  readonly whole: Buffer;

  constructor(tag: number, content: Buffer, whole: Buffer) {
    this.tag = tag;
    this.content = content;
    this.whole = whole;
  }

  /** The values that a constructed one is made of. Throws DerError. */
  children(): DerValue[] {
    const found: DerValue[] = [];
    for (let rest = this.content; rest.length > 0; ) {
      const value = readOne(rest);
      found.push(value);
      rest = rest.subarray(value.whole.length);
    }
    return found;
  }

  /** The value at `index` of a constructed one, which must have `tag` if one is given. Throws DerError. */
  child(index: number, tag?: number): DerValue {
    const value = this.children()[index];
    if (value === undefined || (tag !== undefined && value.tag !== tag)) throw new DerError('asn1: structure error');
    return value;
  }

  /** The dotted form of an object identifier. */
  oid(): string {
    if (this.tag !== TAG.oid) throw new DerError('asn1: structure error: not an object identifier');
    const arcs: number[] = [];
    let arc = 0;
    for (const byte of this.content) {
      arc = arc * 128 + (byte & 0x7f);
      if (byte < 0x80) {
        arcs.push(arc);
        arc = 0;
      }
    }
    const [first = 0, ...rest] = arcs;
    const root = Math.min(Math.floor(first / 40), 2);
    return [root, first - root * 40, ...rest].join('.');
  }

  /** The bytes of a bit string whose bits are whole bytes. */
  bits(): Buffer {
    if (this.tag !== TAG.bitString || this.content[0] !== 0) throw new DerError('asn1: structure error: bit string');
    return this.content.subarray(1);
  }
}

/** Reads `bytes` as one value with nothing behind it. Throws DerError. */
export function readDer(bytes: Buffer): DerValue {
  const value = readOne(bytes);
  if (value.whole.length !== bytes.length) throw new DerError('asn1: syntax error: trailing data');
  return value;
}

function readOne(bytes: Buffer): DerValue {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new DerError('asn1: syntax error');
  let start = 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || bytes.length < 2 + count) throw new DerError('asn1: syntax error: length');
    length = bytes.readUIntBE(2, count);
    start += count;
  }
  const end = start + length;
  if (end > bytes.length) throw new DerError('asn1: syntax error: data truncated');
  return new DerValue(tag, bytes.subarray(start, end), bytes.subarray(0, end));
}
