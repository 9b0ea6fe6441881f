/** A document that is sent in pieces. */
export interface PiecedDocument {
  /** Of all of it, bytes. */
  readonly length: number;
  /** Its parts one after the other; each has to be sent before the next is asked for. */
  readonly pieces: Iterable<Buffer>;
  /** Gives its rooms back, when all of it was sent. */
  release(): void;
}

/** Large enough to make little work of sending it, small enough to let other requests between two pieces. */
export const ROOM_BYTES = 256 * 1024;
const MOST_ROOMS = 8;
/** Rooms are used again: each new one would be memory that the garbage collector has to hear of. */
const rooms: Buffer[] = [];

/** Memory to make a piece in. */
export function takeRoom(): Buffer {
  return rooms.pop() ?? Buffer.allocUnsafeSlow(ROOM_BYTES);
}

/** Memory that nobody reads from any more. */
export function giveRoom(room: Buffer): void {
  if (room.buffer.byteLength === ROOM_BYTES && rooms.length < MOST_ROOMS) rooms.push(Buffer.from(room.buffer));
}

/** All of a document at once. */
export function wholeOf(document: PiecedDocument): Buffer {
  const whole = Buffer.allocUnsafe(document.length);
  let at = 0;
  for (const piece of document.pieces) at += piece.copy(whole, at);
  document.release();
  return whole;
}
