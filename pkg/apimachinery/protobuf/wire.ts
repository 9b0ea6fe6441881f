/** The protobuf wire format: varints, fixed64 and length-delimited fields, in the two directions. */

export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Bytes that are not a protobuf message of the expected shape; `message` is in the words of Go's decoder. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

const TWO_32 = 2 ** 32;

/** Shorter texts are written here: calling for a few letters costs more than writing them. */
const SHORT = 40;

/** Appends protobuf values to a growing buffer. */
export class WireWriter {
  #buffer: Buffer;
  #length = 0;

  /** `room`: where to write, as long as there is enough of it. */
  constructor(room: Buffer = Buffer.allocUnsafe(256)) {
    this.#buffer = room;
  }

  /** The bytes written so far; valid until the next write. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes written so far, for good; goes on in another room. */
  cut(room: Buffer): Buffer {
    const written = this.finish();
    this.#buffer = room;
    this.#length = 0;
    return written;
  }

  /** Begins a length-delimited value whose size is not known yet; `end` takes what this returns. */
  begin(): number {
    this.#reserve(1);
    return ++this.#length;
  }

  /** Ends the value that began at `start`: its size is written in front of it. */
  end(start: number): void {
    const size = this.#length - start;
    if (size < 0x80) {
      this.#buffer[start - 1] = size;
      return;
    }
    // One byte was left free; longer sizes push the value back.
    const more = size < 0x4000 ? 1 : size < 0x20_0000 ? 2 : size < 0x1000_0000 ? 3 : 4;
    this.#reserve(more);
    this.#buffer.copyWithin(start + more, start, this.#length);
    this.#length = start - 1;
    this.uint(size);
    this.#length += size;
  }

  /** Bytes as they are, without their size. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  tag(field: number, wireType: number): void {
    this.uint((field << 3) | wireType);
  }

  /** A non-negative safe integer as a varint. */
  uint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 0x7f) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** A signed 64-bit integer as a varint (two's complement: negative values take ten bytes). */
  int64(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) {
      this.uint(value);
      return;
    }
    this.#reserve(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.uint(value.length);
    this.raw(value);
  }

  string(value: string): void {
    const { length } = value;
    if (length < SHORT) {
      this.#reserve(1 + length);
      const buffer = this.#buffer;
      const start = this.#length + 1;
      let at = 0;
      for (let code = 0; at < length; at++) {
        code = value.charCodeAt(at);
        if (code > 0x7f) break;
        buffer[start + at] = code;
      }
      if (at === length) {
        buffer[start - 1] = length;
        this.#length = start + length;
        return;
      }
    }
    const size = Buffer.byteLength(value);
    this.uint(size);
    this.#reserve(size);
    this.#length += this.#buffer.write(value, this.#length, size === length ? 'latin1' : 'utf8');
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Reads protobuf values from `bytes`; every method throws WireError at the end of the bytes. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;
  /** The two halves of the varint read last, as unsigned 32-bit numbers. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next field's number and wire type. */
  tag(): { field: number; wireType: number } {
    const tag = this.uint32();
    if (tag < 8) throw new WireError(`proto: illegal tag 0 (wire type ${tag})`);
    return { field: tag >>> 3, wireType: tag & 7 };
  }

  int32(): number {
    this.#varint();
    return this.#low | 0;
  }

  uint32(): number {
    this.#varint();
    return this.#low;
  }

  /** A signed 64-bit integer, rounded to the nearest double beyond the safe range. */
  int64(): number {
    this.#varint();
    return (this.#high | 0) * TWO_32 + this.#low;
  }

  /** An unsigned 64-bit integer, rounded to the nearest double beyond the safe range. */
  uint64(): number {
    this.#varint();
    return this.#high * TWO_32 + this.#low;
  }

  /** A signed 64-bit integer, exact. */
  bigInt64(): bigint {
    this.#varint();
    return BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low));
  }

  bool(): boolean {
    this.#varint();
    return this.#low !== 0 || this.#high !== 0;
  }

  double(): number {
    const start = this.#take(8);
    return this.#bytes.readDoubleLE(start);
  }

  /** A view of the next length-delimited value; it shares memory with the message. */
  bytes(): Buffer {
    const size = this.uint32();
    const start = this.#take(size);
    return this.#bytes.subarray(start, start + size);
  }

  string(): string {
    const size = this.uint32();
    const start = this.#take(size);
    return this.#bytes.toString('utf8', start, start + size);
  }

  skip(wireType: number): void {
    if (wireType === WIRE.varint) this.#varint();
    else if (wireType === WIRE.fixed64) this.#take(8);
    else if (wireType === WIRE.bytes) this.#take(this.uint32());
    else if (wireType === WIRE.fixed32) this.#take(4);
    else throw new WireError(`proto: illegal wireType ${wireType}`);
  }

  #take(size: number): number {
    const start = this.#at;
    if (start + size > this.#bytes.length) throw new WireError('unexpected EOF');
    this.#at = start + size;
    return start;
  }

  #varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new WireError('unexpected EOF');
      this.#at += 1;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw new WireError('proto: integer overflow');
  }
}
