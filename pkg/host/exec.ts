import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface ExecOptions {
  /** Written to the program's stdin; without it stdin is empty. Streams are piped one into the next, then to stdin. */
  readonly input?: string | Uint8Array | readonly [Readable, ...NodeJS.ReadWriteStream[]];
  /** Kills the program (SIGKILL) after so many milliseconds; 60 s unless given. */
  readonly timeoutMs?: number;
  /** Kills the program when it aborts. */
  readonly signal?: AbortSignal;
  /** The whole environment of the program; this process's unless given. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A program that could not be started (`exitCode` undefined), was killed, or ended with a code other than 0. */
export class ExecError extends Error {
  override readonly name = 'ExecError';
  readonly argv: readonly string[];
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(argv: readonly string[], exitCode: number | undefined, reason: string, stderr: string, cause?: unknown) {
    const detail = stderr.trim().split('\n').slice(-3).join('; ');
    super(`${argv.join(' ')}: ${reason}${detail === '' ? '' : `: ${detail}`}`, { cause });
    this.argv = argv;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }

  /** Whether the program is not installed. */
  get notFound(): boolean {
    return this.cause instanceof Error && 'code' in this.cause && this.cause.code === 'ENOENT';
  }
}

const DEFAULT_TIMEOUT = 60_000;
/** No tool kedge runs says more than this; one that does is cut off rather than kept in memory. */
const MOST_OUTPUT = 64 * 1024 * 1024;

/** Runs `argv` without a shell and resolves to its stdout. Rejects with ExecError when it does not end with code 0. */
export function exec(argv: readonly [string, ...string[]], options: ExecOptions = {}): Promise<string> {
  const [program, ...args] = argv;
  const timeout = options.timeoutMs ?? DEFAULT_TIMEOUT;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      killSignal: 'SIGKILL',
      ...(options.signal && { signal: options.signal }),
      ...(options.env && { env: options.env }),
    });
    // spawn's own time limit is not cleared for a program that cannot be started.
    const limit = setTimeout(() => child.kill('SIGKILL'), timeout);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let size = 0;
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MOST_OUTPUT) into.push(chunk);
      else child.kill('SIGKILL');
    };
    child.stdout.on('data', collect(stdout));
    child.stderr.on('data', collect(stderr));
    const { input = '' } = options;
    const source =
      typeof input === 'string' || input instanceof Uint8Array ? [Readable.from([Buffer.from(input)])] : input;
    let inputFailure: unknown;
    pipeline([...source, child.stdin]).catch((error: unknown) => {
      // A program may end without reading all its input; its exit code tells whether that matters.
      if (
        error instanceof Error &&
        'code' in error &&
        (error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')
      )
        return;
      inputFailure = error;
      child.kill('SIGKILL');
    });
    child.on('error', (error) => {
      clearTimeout(limit);
      reject(new ExecError(argv, undefined, error.message, '', error));
    });
    child.on('close', (code, killedBy) => {
      clearTimeout(limit);
      const errors = Buffer.concat(stderr).toString('utf8');
      if (inputFailure !== undefined) reject(new ExecError(argv, undefined, 'its input failed', errors, inputFailure));
      else if (code === 0) resolve(Buffer.concat(stdout).toString('utf8'));
      else if (code !== null) reject(new ExecError(argv, code, `exit code ${code}`, errors));
      else reject(new ExecError(argv, undefined, `killed by ${killedBy} (time limit ${timeout} ms)`, errors));
    });
  });
}
