/** Reading containers' log files: from the end backwards for tails, onwards across rotation for followers. */
import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { LogFilter, type LogFilterOptions, parseLogLine } from './log-line.ts';

const BLOCK = 64 * 1024;
const NEWLINE = 0x0a;

export interface LogReadOptions extends LogFilterOptions {
  /** Only the last so many entries; all when undefined. */
  readonly tailLines: number | undefined;
  /** Go on with what is written later, until `ended` resolves and the rest is read, or `signal` aborts. */
  readonly follow: boolean;
  /** Resolves when the container has ended: nothing will be written any more. */
  readonly ended: Promise<void>;
  readonly signal: AbortSignal;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The place in `file` where its last `lines` lines begin; only the blocks that hold them are read. */
export async function tailOffset(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines <= 0) return size;
  const block = Buffer.alloc(BLOCK);
  let found = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - BLOCK);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (block[at] !== NEWLINE) continue;
      // The newline at the very end belongs to the last line.
      if (start + at === size - 1) continue;
      found += 1;
      if (found === lines) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

/** Hands the complete lines of a growing file on, and remembers what is not complete yet. */
class LineReader {
  readonly #file: FileHandle;
  #offset: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, offset: number) {
    this.#file = file;
    this.#offset = offset;
  }

  /** Lines up to the present end of the file, in batches. */
  async *lines(): AsyncGenerator<Buffer[]> {
    for (;;) {
      const block = Buffer.alloc(BLOCK);
      const { bytesRead } = await this.#file.read(block, 0, BLOCK, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      const data = Buffer.concat([this.#rest, block.subarray(0, bytesRead)]);
      const batch: Buffer[] = [];
      let start = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
        batch.push(data.subarray(start, end));
        start = end + 1;
      }
      this.#rest = data.subarray(start);
      if (batch.length > 0) yield batch;
    }
  }
}

/** Wakes a follower when something happens to the file `path`, which may be replaced by a new one. */
class FileSignal {
  readonly #watcher: ReturnType<typeof watch>;
  #changed = false;
  #wake: () => void = () => {};

  constructor(path: string) {
    const name = basename(path);
    this.#watcher = watch(dirname(path), { persistent: false }, (_event, file) => {
      if (file === null || file === name) this.set();
    });
    this.#watcher.on('error', () => this.set());
  }

  set(): void {
    this.#changed = true;
    this.#wake();
  }

  async wait(): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#changed = false;
  }

  close(): void {
    this.#watcher.close();
  }
}

/** Whether `path` now names another file than `file`: the log was rotated. */
async function isReplaced(file: FileHandle, path: string): Promise<boolean> {
  try {
    const [opened, named] = await Promise.all([file.stat(), stat(path)]);
    return opened.ino !== named.ino;
  } catch (error) {
    // Between the renaming of the old file and the making of the new one there is none.
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * Yields what `kubectl logs` shows of the log file `path`. Throws ENOENT when there is none.
 */
export async function* readLog(path: string, options: LogReadOptions): AsyncGenerator<Buffer> {
  const filter = new LogFilter(options);
  let file = await open(path, 'r');
  const changes = options.follow ? new FileSignal(path) : undefined;
  let over = false;
  const finish = (): void => {
    over = true;
    changes?.set();
  };
  options.ended.then(finish, finish);
  options.signal.addEventListener('abort', finish, { once: true });
  try {
    const start = options.tailLines === undefined ? 0 : await tailOffset(file, options.tailLines);
    let reader = new LineReader(file, start);
    for (;;) {
      // Whether it is over is asked before reading: what was written until then is still read.
      const last = over || changes === undefined;
      const replaced = changes !== undefined && (await isReplaced(file, path));
      for await (const batch of reader.lines()) {
        const shown = Buffer.concat(batch.map((line) => filter.apply(line)));
        if (shown.length > 0) yield shown;
        if (filter.full || options.signal.aborted) return;
      }
      if (replaced) {
        await file.close();
        file = await open(path, 'r');
        reader = new LineReader(file, 0);
        continue;
      }
      if (last || options.signal.aborted) return;
      await changes.wait();
    }
  } finally {
    options.signal.removeEventListener('abort', finish);
    changes?.close();
    await file.close();
  }
}

/** The last words in a log: at most `lines` lines and `bytes` bytes of them. Empty when there is no log. */
export async function tailLogText(path: string, lines: number, bytes: number): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
  try {
    const parts: Buffer[] = [];
    for await (const batch of new LineReader(file, await tailOffset(file, lines)).lines()) {
      for (const line of batch) parts.push(parseLogLine(line)?.content ?? Buffer.alloc(0));
    }
    const text = Buffer.concat(parts);
    return text.subarray(Math.max(0, text.length - bytes)).toString('utf8');
  } finally {
    await file.close();
  }
}
