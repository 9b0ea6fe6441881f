/** SPDY/3 name/value header blocks and their compression, one zlib stream per direction of a connection. */

import { constants, createInflate, type Inflate } from 'node:zlib';
import { SPDY_DICTIONARY, SPDY_DICTIONARY_ID } from './dictionary.ts';
import { protocolError } from './frames.ts';

/** Lower-case names to values; several values of one name are joined by NUL, as the protocol has it. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Most bytes one block may inflate to. */
const MAX_INFLATED = 64 * 1024;
const MAX_HEADERS = 128;
const LONGEST_STORED_BLOCK = 0xffff;

function encodePairs(headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers);
  const parts: Buffer[] = [];
  const number = (value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    parts.push(bytes);
  };
  number(entries.length);
  for (const [name, value] of entries) {
    for (const text of [name.toLowerCase(), value]) {
      const bytes = Buffer.from(text, 'utf8');
      number(bytes.length);
      parts.push(bytes);
    }
  }
  return Buffer.concat(parts);
}

function decodePairs(block: Buffer): SpdyHeaders {
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > block.length) throw protocolError('header block ends early');
    const value = block.readUInt32BE(offset);
    offset += 4;
    return value;
  };
  const text = (): string => {
    const length = number();
    if (length > block.length - offset) throw protocolError('header block ends early');
    offset += length;
    return block.toString('utf8', offset - length, offset);
  };
  const count = number();
  if (count > MAX_HEADERS) throw protocolError(`${count} headers in one block`);
  const headers = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const name = text();
    const value = text();
    if (name === '' || name !== name.toLowerCase()) throw protocolError('header name is empty or not lower case');
    if (headers.has(name)) throw protocolError('header name occurs twice');
    headers.set(name, value);
  }
  if (offset !== block.length) throw protocolError('bytes after the last header');
  return headers;
}

/**
 * Encodes header blocks as zlib *stored* blocks. They are valid input for every zlib, cost no compressor (256 KiB per
 * connection) and no asynchrony, and what streaming sends is three short headers per stream.
 */
export class HeaderEncoder {
  #started = false;

  /** The bytes of one block. Throws a RangeError when the headers take more than 64 KiB. */
  encode(headers: Readonly<Record<string, string>>): Buffer {
    const pairs = encodePairs(headers);
    if (pairs.length > LONGEST_STORED_BLOCK) throw new RangeError('SPDY headers take more than 64 KiB');
    const parts: Buffer[] = [];
    if (!this.#started) {
      // CMF/FLG with the "needs a dictionary" bit, and which one.
      const start = Buffer.from([0x78, 0xbb, 0, 0, 0, 0]);
      start.writeUInt32BE(SPDY_DICTIONARY_ID, 2);
      parts.push(start);
      this.#started = true;
    }
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(pairs.length, 1);
    stored.writeUInt16LE(~pairs.length & 0xffff, 3);
    // The empty block behind is what Z_SYNC_FLUSH ends with: a reader hands out what it has when it sees one.
    parts.push(stored, pairs, Buffer.from([0, 0, 0, 0xff, 0xff]));
    return Buffer.concat(parts);
  }
}

/** Decodes header blocks. Blocks must be decoded in the order they came, one at a time. */
export class HeaderDecoder {
  #inflate: Inflate | undefined;
  #output: Buffer[] = [];
  #size = 0;
  #closed = false;

  /** Rejects with a SpdyError when the block is malformed, too large, or the decoder has been closed. */
  decode(block: Buffer): Promise<SpdyHeaders> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(protocolError('header block after close'));
        return;
      }
      this.#inflate ??= this.#create();
      const inflate = this.#inflate;
      const failed = (error: Error): void => reject(protocolError(`header block does not inflate: ${error.message}`));
      inflate.once('error', failed);
      inflate.write(block, (error) => {
        inflate.off('error', failed);
        if (error) {
          failed(error);
          return;
        }
        const inflated = Buffer.concat(this.#output);
        this.#output = [];
        this.#size = 0;
        try {
          resolve(decodePairs(inflated));
        } catch (cause) {
          reject(cause);
        }
      });
    });
  }

  /** Frees the inflater. */
  close(): void {
    this.#closed = true;
    this.#inflate?.destroy();
    this.#inflate = undefined;
  }

  #create(): Inflate {
    const inflate = createInflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });
    // Errors reach the pending decode(); this one only keeps a late one from being unhandled.
    inflate.on('error', () => {});
    inflate.on('data', (chunk: Buffer) => {
      this.#size += chunk.length;
      if (this.#size > MAX_INFLATED) inflate.destroy(new Error(`more than ${MAX_INFLATED} bytes`));
      else this.#output.push(chunk);
    });
    return inflate;
  }
}
