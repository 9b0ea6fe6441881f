import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { OperatorError } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';

export interface AuditLogOptions {
  /** `-` for the standard output. */
  readonly path: string;
  /** A file that would become larger is put aside first. */
  readonly maxBytes: number;
  /** How many files that were put aside are kept; 0: all of them. */
  readonly maxBackups: number;
  /** How many days files that were put aside are kept; 0: however old. */
  readonly maxAgeDays: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const MODE = 0o600;
const DAY_MS = 86_400_000;
/** What may wait for a slow disk; events beyond that are dropped and counted. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024;
/** How often it is told that events are lost. */
const COMPLAINT_MS = 60_000;

/**
 * Lines in a file that is rotated as upstream's log backend does (lumberjack): what is put aside is called
 * `audit-2006-01-02T15-04-05.000.log`. Lines are written in the order they came, soon after.
 */
export class AuditLog {
  readonly #options: AuditLogOptions;
  #file: FileHandle | undefined;
  #size = 0;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #dropped = 0;
  #rotatedAt = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /** Throws OperatorError when the file cannot be written. */
  async open(): Promise<void> {
    const { path } = this.#options;
    if (path === '-') return;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await this.#openFile();
    } catch (error) {
      throw new OperatorError(
        `the audit log ${path} cannot be written (${errorText(error)}): name another file with --kube-apiserver-arg=audit-log-path=…`,
      );
    }
    await this.#prune();
  }

  /** How many events were lost because the file could not be written, or not fast enough. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds a line, which has no line break of its own. */
  write(line: string): void {
    if (this.#waitingBytes > MOST_WAITING_BYTES) {
      this.#lost(1, new Error('the disk is too slow'));
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Writes what waits, then lets go of the file. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #drain(): Promise<void> {
    // Lines of one moment share a write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        await this.#append(lines);
      } catch (error) {
        this.#lost(lines.length, error);
      }
    }
  }

  async #append(lines: readonly string[]): Promise<void> {
    const { path, maxBytes } = this.#options;
    if (path === '-') {
      process.stdout.write(`${lines.join('\n')}\n`);
      return;
    }
    let piece: string[] = [];
    let bytes = 0;
    for (const line of lines) {
      const size = Buffer.byteLength(line) + 1;
      if (this.#size + bytes > 0 && this.#size + bytes + size > maxBytes) {
        await this.#put(piece, bytes);
        piece = [];
        bytes = 0;
        if (this.#size > 0) await this.#rotate();
      }
      piece.push(line);
      bytes += size;
    }
    await this.#put(piece, bytes);
  }

  async #put(lines: readonly string[], bytes: number): Promise<void> {
    if (lines.length === 0) return;
    const file = this.#file ?? (await this.#openFile());
    await file.appendFile(`${lines.join('\n')}\n`);
    this.#size += bytes;
  }

  async #openFile(): Promise<FileHandle> {
    const file = await open(this.#options.path, 'a', MODE);
    // A file that was there may be open to others.
    await file.chmod(MODE);
    this.#size = (await file.stat()).size;
    this.#file = file;
    return file;
  }

  async #rotate(): Promise<void> {
    const { path, clock } = this.#options;
    await this.#file?.close();
    this.#file = undefined;
    const { prefix, suffix } = this.#names();
    // Two files put aside within a millisecond must not have one name.
    this.#rotatedAt = Math.max(clock.now(), this.#rotatedAt + 1);
    const time = new Date(this.#rotatedAt).toISOString().slice(0, -1).replaceAll(':', '-');
    await rename(path, join(dirname(path), `${prefix}${time}${suffix}`));
    await this.#openFile();
    await this.#prune();
  }

  #names(): { readonly prefix: string; readonly suffix: string } {
    const suffix = extname(this.#options.path);
    return { prefix: `${basename(this.#options.path, suffix)}-`, suffix };
  }

  /** Deletes the files put aside that are too many or too old. */
  async #prune(): Promise<void> {
    const { path, maxBackups, maxAgeDays, clock } = this.#options;
    const { prefix, suffix } = this.#names();
    const oldest = maxAgeDays === 0 ? Number.NEGATIVE_INFINITY : clock.now() - maxAgeDays * DAY_MS;
    const backups = (await readdir(dirname(path)))
      .filter((name) => name.startsWith(prefix) && name.endsWith(suffix))
      .map((name) => ({ name, time: backupTime(name.slice(prefix.length, name.length - suffix.length)) }))
      .filter(({ time }) => !Number.isNaN(time))
      .sort((a, b) => b.time - a.time);
    for (const [index, { name, time }] of backups.entries()) {
      if ((maxBackups > 0 && index >= maxBackups) || time < oldest)
        await rm(join(dirname(path), name), { force: true });
    }
  }

  #lost(count: number, error: unknown): void {
    const { clock, log, path } = this.#options;
    this.#dropped += count;
    if (clock.now() - this.#complainedAt < COMPLAINT_MS) return;
    this.#complainedAt = clock.now();
    log.error('audit events are lost', { path, lost: this.#dropped, error: errorText(error) });
  }
}

/** The time in a name; NaN when there is none. */
function backupTime(text: string): number {
  if (!/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/.test(text)) return Number.NaN;
  return Date.parse(`${text.slice(0, 11)}${text.slice(11).replaceAll('-', ':')}Z`);
}
