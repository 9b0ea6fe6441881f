/** One entry of a container's log file in CRI's format: `<time> stdout|stderr F|P <text>`. */

export type LogStream = 'stdout' | 'stderr';

export interface LogLine {
  /** RFC 3339 with nanoseconds, as written. */
  readonly timestamp: string;
  readonly stream: LogStream;
  /** The line goes on in the next entry of its stream. */
  readonly partial: boolean;
  /** What the container wrote, with the line's end unless partial. */
  readonly content: Buffer;
}

const SPACE = 0x20;
const LINE_END = Buffer.from('\n');

/** Reads an entry (without its line end); undefined for text that is none. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  if (first < 0 || second < 0) return undefined;
  const found = line.indexOf(SPACE, second + 1);
  const third = found < 0 ? line.length : found;
  const stream = line.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  // Tags are separated by colons; the first says whether the line is whole.
  const partial = line.toString('latin1', second + 1, third).split(':')[0] === 'P';
  const text = line.subarray(third + 1);
  return {
    timestamp: line.toString('latin1', 0, first),
    stream,
    partial,
    content: partial ? text : Buffer.concat([text, LINE_END]),
  };
}

export interface LogFilterOptions {
  readonly timestamps: boolean;
  /** Entries before this time (ms since the epoch) are left out. */
  readonly since: number | undefined;
  /** The most bytes let through. */
  readonly limitBytes: number | undefined;
  /** Both unless given. */
  readonly stream?: LogStream | undefined;
}

/** Turns entries into what `kubectl logs` shows. */
export class LogFilter {
  readonly #options: LogFilterOptions;
  #left: number;
  #atLineStart = true;

  constructor(options: LogFilterOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  /** limitBytes has been reached: nothing more will come out. */
  get full(): boolean {
    return this.#left <= 0;
  }

  /** The bytes to show of one entry; empty for none. */
  apply(entry: Buffer): Buffer {
    const line = parseLogLine(entry);
    if (line === undefined || this.full) return Buffer.alloc(0);
    const { since, stream, timestamps } = this.#options;
    if (stream !== undefined && line.stream !== stream) return Buffer.alloc(0);
    if (since !== undefined && Date.parse(line.timestamp) < since) return Buffer.alloc(0);
    const shown =
      timestamps && this.#atLineStart
        ? Buffer.concat([Buffer.from(`${line.timestamp} `, 'latin1'), line.content])
        : line.content;
    this.#atLineStart = !line.partial;
    const cut = shown.length > this.#left ? shown.subarray(0, this.#left) : shown;
    this.#left -= cut.length;
    return cut;
  }
}
