/** SPDY/3.1 frame layouts: what is sent as bytes, and the shapes a parser yields. All integers are big endian. */

export const FRAME_TYPE = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** Status of RST_STREAM (section 2.6.3 of the SPDY/3.1 draft). */
export const RST_STATUS = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  streamAlreadyClosed: 9,
} as const;

/** Status of GOAWAY. */
export const GOAWAY_STATUS = { ok: 0, protocolError: 1, internalError: 2 } as const;

export const FLAG_FIN = 0x01;
export const FLAG_UNIDIRECTIONAL = 0x02;

/** Bytes before every frame's payload. */
export const FRAME_HEADER_LENGTH = 8;
/** Longest control frame accepted, in bytes of payload. Streaming headers take about a hundred. */
export const MAX_CONTROL_LENGTH = 64 * 1024;
export const STREAM_ID_MASK = 0x7fffffff;
const VERSION = 0x8003;

export type Frame =
  | { type: 'synStream'; id: number; fin: boolean; unidirectional: boolean; block: Buffer }
  | { type: 'synReply' | 'headers'; id: number; fin: boolean; block: Buffer }
  | { type: 'rstStream'; id: number; status: number }
  | { type: 'ping'; id: number }
  | { type: 'goAway'; lastGoodId: number; status: number }
  | { type: 'windowUpdate'; id: number; delta: number }
  | { type: 'settings' }
  /** A piece of a DATA frame; `fin` only on the last piece of a frame that ends the stream. */
  | { type: 'data'; id: number; chunk: Buffer; fin: boolean };

/** A breach of the protocol by the peer, or a connection that is no more; `code` is stable. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
  readonly code: 'ERR_SPDY_PROTOCOL' | 'ERR_SPDY_CLOSED' | 'ERR_SPDY_RESET' | 'ERR_SPDY_IDLE';

  constructor(code: SpdyError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A SpdyError for a breach of the protocol. */
export function protocolError(message: string): SpdyError {
  return new SpdyError('ERR_SPDY_PROTOCOL', `spdy: ${message}`);
}

function control(type: number, flags: number, length: number): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_LENGTH + length);
  frame.writeUInt16BE(VERSION, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(((flags << 24) | length) >>> 0, 4);
  return frame;
}

/** SYN_STREAM of priority 0 with an encoded header block. */
export function synStreamFrame(id: number, block: Buffer, flags = 0): Buffer {
  const frame = control(FRAME_TYPE.synStream, flags, 10 + block.length);
  frame.writeUInt32BE(id, 8);
  block.copy(frame, 18);
  return frame;
}

/** SYN_REPLY with an encoded header block. */
export function synReplyFrame(id: number, block: Buffer): Buffer {
  const frame = control(FRAME_TYPE.synReply, 0, 4 + block.length);
  frame.writeUInt32BE(id, 8);
  block.copy(frame, 12);
  return frame;
}

function twoWords(type: number, first: number, second: number): Buffer {
  const frame = control(type, 0, 8);
  frame.writeUInt32BE(first, 8);
  frame.writeUInt32BE(second, 12);
  return frame;
}

export function rstStreamFrame(id: number, status: number): Buffer {
  return twoWords(FRAME_TYPE.rstStream, id, status);
}

export function goAwayFrame(lastGoodId: number, status: number): Buffer {
  return twoWords(FRAME_TYPE.goAway, lastGoodId, status);
}

export function pingFrame(id: number): Buffer {
  const frame = control(FRAME_TYPE.ping, 0, 4);
  frame.writeUInt32BE(id, 8);
  return frame;
}

/** The eight bytes that go before `length` bytes of data. */
export function dataFrameHeader(id: number, length: number, fin: boolean): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_LENGTH);
  header.writeUInt32BE(id, 0);
  header.writeUInt32BE((((fin ? FLAG_FIN : 0) << 24) | length) >>> 0, 4);
  return header;
}
