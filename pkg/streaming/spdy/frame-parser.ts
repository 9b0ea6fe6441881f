import {
  FLAG_FIN,
  FLAG_UNIDIRECTIONAL,
  FRAME_HEADER_LENGTH,
  FRAME_TYPE,
  type Frame,
  MAX_CONTROL_LENGTH,
  protocolError,
  STREAM_ID_MASK,
} from './frames.ts';

/**
 * Cuts bytes into SPDY frames, pulled one at a time so that the caller may stop in between. DATA payloads are handed
 * on in the pieces they arrive in: a frame of 16 MiB costs no memory. Header blocks are left encoded.
 */
export class FrameParser {
  #chunks: Buffer[] = [];
  #length = 0;
  /** The DATA frame being handed on; `left` > 0. */
  #data: { id: number; left: number; fin: boolean } | undefined;

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The next frame, or undefined when more bytes are needed. Throws a SpdyError on bytes that are not SPDY/3. */
  next(): Frame | undefined {
    for (;;) {
      if (this.#data !== undefined) return this.#nextPiece(this.#data);
      if (this.#length < FRAME_HEADER_LENGTH) return undefined;
      const header = this.#peek(FRAME_HEADER_LENGTH);
      const first = header.readUInt32BE(0);
      const flags = header.readUInt8(4);
      const length = header.readUInt32BE(4) & 0xffffff;
      if ((first & 0x80000000) === 0) {
        this.#take(FRAME_HEADER_LENGTH);
        if ((flags & ~FLAG_FIN) !== 0) throw protocolError(`DATA frame with flags ${flags}`);
        if (first === 0) throw protocolError('DATA frame of stream 0');
        const fin = (flags & FLAG_FIN) !== 0;
        if (length === 0) return { type: 'data', id: first, chunk: Buffer.alloc(0), fin };
        this.#data = { id: first, left: length, fin };
        continue;
      }
      const version = (first >>> 16) & 0x7fff;
      if (version !== 3) throw protocolError(`frame of version ${version}`);
      if (length > MAX_CONTROL_LENGTH) throw protocolError(`control frame of ${length} bytes`);
      if (this.#length < FRAME_HEADER_LENGTH + length) return undefined;
      const payload = this.#take(FRAME_HEADER_LENGTH + length).subarray(FRAME_HEADER_LENGTH);
      const frame = parseControl(first & 0xffff, flags, payload);
      if (frame !== undefined) return frame;
    }
  }

  #nextPiece(data: { id: number; left: number; fin: boolean }): Frame | undefined {
    const head = this.#chunks[0];
    if (head === undefined) return undefined;
    const chunk = this.#take(Math.min(head.length, data.left));
    data.left -= chunk.length;
    const last = data.left === 0;
    if (last) this.#data = undefined;
    return { type: 'data', id: data.id, chunk, fin: last && data.fin };
  }

  /** The first `count` bytes in one buffer; the caller has checked that they are there. */
  #peek(count: number): Buffer {
    const head = this.#chunks[0];
    if (head !== undefined && head.length >= count) return head.subarray(0, count);
    const parts: Buffer[] = [];
    let size = 0;
    while (size < count) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) throw new RangeError('fewer bytes buffered than asked for');
      parts.push(chunk);
      size += chunk.length;
    }
    const joined = Buffer.concat(parts, size);
    this.#chunks.unshift(joined);
    return joined.subarray(0, count);
  }

  #take(count: number): Buffer {
    const bytes = this.#peek(count);
    const head = this.#chunks[0];
    if (head !== undefined && head.length > count) this.#chunks[0] = head.subarray(count);
    else this.#chunks.shift();
    this.#length -= count;
    return bytes;
  }
}

/** Undefined for a control frame of an unknown type, which is to be ignored. */
function parseControl(type: number, flags: number, payload: Buffer): Frame | undefined {
  const word = (offset: number): number => {
    if (offset + 4 > payload.length) throw protocolError(`control frame ${type} of ${payload.length} bytes`);
    return payload.readUInt32BE(offset);
  };
  const streamId = (): number => {
    const id = word(0) & STREAM_ID_MASK;
    if (id === 0) throw protocolError(`control frame ${type} of stream 0`);
    return id;
  };
  const fin = (flags & FLAG_FIN) !== 0;
  switch (type) {
    case FRAME_TYPE.synStream: {
      const id = streamId();
      if (payload.length < 10) throw protocolError(`SYN_STREAM of ${payload.length} bytes`);
      const unidirectional = (flags & FLAG_UNIDIRECTIONAL) !== 0;
      return { type: 'synStream', id, fin, unidirectional, block: payload.subarray(10) };
    }
    case FRAME_TYPE.synReply:
      return { type: 'synReply', id: streamId(), fin, block: payload.subarray(4) };
    case FRAME_TYPE.headers:
      return { type: 'headers', id: streamId(), fin, block: payload.subarray(4) };
    case FRAME_TYPE.rstStream:
      return { type: 'rstStream', id: streamId(), status: word(4) };
    case FRAME_TYPE.ping:
      return { type: 'ping', id: word(0) };
    case FRAME_TYPE.goAway:
      return { type: 'goAway', lastGoodId: word(0) & STREAM_ID_MASK, status: word(4) };
    case FRAME_TYPE.windowUpdate:
      return { type: 'windowUpdate', id: word(0) & STREAM_ID_MASK, delta: word(4) & STREAM_ID_MASK };
    case FRAME_TYPE.settings:
      word(0);
      return { type: 'settings' };
    default:
      return undefined;
  }
}
