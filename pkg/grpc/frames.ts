import { GrpcError } from './error.ts';

const HEADER = 5;

/** `message` with gRPC's prefix: no compression, four bytes of length. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEADER + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, HEADER);
  return framed;
}

/** Cuts the bytes of one call's answer into its messages. */
export class FrameParser {
  readonly #maxMessage: number;
  readonly #method: string;
  #chunks: Buffer[] = [];
  #length = 0;
  #needed = HEADER;

  /** `maxMessage` bounds a message's bytes; `method` names the call in errors. */
  constructor(maxMessage: number, method: string) {
    this.#maxMessage = maxMessage;
    this.#method = method;
  }

  /** Adds bytes and returns the messages that are whole by them. Throws GrpcError for a frame it will not take. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const messages: Buffer[] = [];
    while (this.#length >= this.#needed) {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] ?? chunk) : Buffer.concat(this.#chunks);
      const size = this.#sizeOf(bytes);
      const end = HEADER + size;
      if (bytes.length >= end) messages.push(bytes.subarray(HEADER, end));
      const rest = bytes.length >= end ? bytes.subarray(end) : bytes;
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
      this.#needed = bytes.length >= end ? HEADER : end;
    }
    return messages;
  }

  /** Throws when the answer ended inside a message. */
  end(): void {
    if (this.#length > 0) throw new GrpcError('INTERNAL', this.#method, 'the answer ended inside a message');
  }

  #sizeOf(bytes: Buffer): number {
    if (bytes[0] !== 0) throw new GrpcError('INTERNAL', this.#method, 'the server sent a compressed message');
    const size = bytes.readUInt32BE(1);
    if (size > this.#maxMessage) {
      const text = `the answer has ${size} bytes, more than the limit of ${this.#maxMessage}`;
      throw new GrpcError('RESOURCE_EXHAUSTED', this.#method, text);
    }
    return size;
  }
}
