const LINE_FEED = 0x0a;
/** Far above what the datastore takes as one object: a longer line is no watch event. */
const LONGEST_LINE_BYTES = 32 * 1024 * 1024;

/**
 * Cuts a stream of bytes into lines. Pieces of an unfinished line are kept as they came and joined once, so that a long
 * line in many pieces costs no more than its length.
 */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #limit: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(onLine: (line: string) => void, limit = LONGEST_LINE_BYTES) {
    this.#onLine = onLine;
    this.#limit = limit;
  }

  /** Whether the stream stands in the middle of a line. */
  get isInLine(): boolean {
    return this.#bytes > 0;
  }

  /** Takes the next bytes; calls back for every line they complete, leaving out empty ones. Throws at a line too long. */
  push(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end < 0) break;
      const line = this.#joined(chunk.subarray(start, end));
      start = end + 1;
      if (line !== '') this.#onLine(line);
    }
    if (start === chunk.length) return;
    const rest = chunk.subarray(start);
    this.#bytes += rest.length;
    if (this.#bytes > this.#limit) throw new RangeError(`a line of the stream is longer than ${this.#limit} bytes`);
    this.#pieces.push(rest);
  }

  #joined(last: Buffer): string {
    if (this.#bytes === 0) return last.toString('utf8');
    const line = Buffer.concat([...this.#pieces, last]).toString('utf8');
    this.#pieces = [];
    this.#bytes = 0;
    return line;
  }
}
