import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestKernel } from '../../packaging/dev/lib/user-mode-linux.ts';
import { bootGuest } from './boot.ts';

export interface GuestRun {
  readonly kernel: GuestKernel;
  /** The command, found on this machine; it runs as root, with nothing on stdin and the console for its output. */
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** Kernel modules to load before. */
  readonly modules?: readonly string[];
  /** Folders that are empty in the guest, whatever they hold here; `/tmp`, `/run` and `/dev/shm` always are. */
  readonly emptyFolders?: readonly string[];
  /** A folder that the guest writes to as well; a temporary one unless given. */
  readonly share?: string;
  /** MiB; 1,024 unless given. What the guest writes to its disk takes of it. */
  readonly memoryMiB?: number;
  readonly timeoutMs: number;
  readonly onOutput?: (text: string) => void;
}

export interface GuestRunResult {
  /** Undefined when the command did not come to an end. */
  readonly exitCode: number | undefined;
  readonly output: string;
  readonly timedOut: boolean;
}

/**
 * Runs a command in a guest that sees this machine's files as they are, programs and checkout at their own paths, and
 * whose own changes to them are gone afterwards.
 */
export async function runInGuest(run: GuestRun): Promise<GuestRunResult> {
  const share = run.share ?? mkdtempSync(join(tmpdir(), 'kedge-share-'));
  const exitCode = join(share, 'exit-code');
  try {
    rmSync(exitCode, { force: true });
    const settings = Object.entries(run.env ?? {}).map(([name, value]) => `export ${name}=${quote(value)}\n`);
    writeFileSync(join(share, 'command'), `${settings.join('')}${run.argv.map(quote).join(' ')}\n`);
    writeFileSync(join(share, 'modules'), ['dummy', ...(run.modules ?? [])].join(' '));
    const { output, timedOut } = await bootGuest({
      kernel: run.kernel,
      rootfs: '/',
      writable: false,
      init: join(import.meta.dirname, 'init.sh'),
      memoryMiB: run.memoryMiB ?? 1024,
      timeoutMs: run.timeoutMs,
      kernelArguments: [
        `KEDGE_SHARE=${share}`,
        `KEDGE_MODULES=${run.kernel.modules}`,
        `KEDGE_EMPTY="${(run.emptyFolders ?? []).map((path) => path.replace(/^\//, '')).join(' ')}"`,
      ],
      ...(run.onOutput && { onOutput: run.onOutput }),
    });
    const ended = existsSync(exitCode) ? Number(readFileSync(exitCode, 'utf8')) : undefined;
    return { exitCode: ended, output, timedOut };
  } finally {
    if (run.share === undefined) rmSync(share, { recursive: true, force: true });
  }
}

/** A word of the shell's language that stands for `text`. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
