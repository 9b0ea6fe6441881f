/** Boots Linux guests: a kernel that runs as a program of this machine, on files of this machine. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestKernel } from '../../packaging/dev/lib/user-mode-linux.ts';

export interface BootOptions {
  readonly kernel: GuestKernel;
  /** The folder of this machine that becomes the guest's root; the guest's root writes in it as this machine's. */
  readonly rootfs: string;
  /** Whether the guest may write to `rootfs`. */
  readonly writable: boolean;
  /** The first program, a path in `rootfs`. */
  readonly init: string;
  readonly memoryMiB: number;
  /** The guest is switched off after so many milliseconds. */
  readonly timeoutMs: number;
  /** Added to the kernel's command line; those of the form `name=value` that it does not know are init's environment. */
  readonly kernelArguments?: readonly string[];
  /** Gets what the guest writes to its console as it comes. */
  readonly onOutput?: (text: string) => void;
}

export interface BootResult {
  /** Everything the guest wrote to its console. */
  readonly output: string;
  readonly timedOut: boolean;
}

/**
 * Runs a guest until it is switched off (`poweroff -f`, sysrq) or its time is up; nothing of it is left then. It has one
 * CPU, its own cgroup v2 and kernel modules, and no network but what it makes inside.
 */
export async function bootGuest(options: BootOptions): Promise<BootResult> {
  const { kernel } = options;
  const state = mkdtempSync(join(tmpdir(), 'kedge-guest-'));
  const child = spawn(
    kernel.program,
    [
      `mem=${options.memoryMiB}M`,
      'root=/dev/root',
      'rootfstype=hostfs',
      `rootflags=${options.rootfs}`,
      options.writable ? 'rw' : 'ro',
      `init=${options.init}`,
      `uml_dir=${state}`,
      'con=null',
      'con0=fd:0,fd:1',
      'quiet',
      'loglevel=0',
      ...(options.kernelArguments ?? []),
    ],
    // A group of its own: every process of the guest is one of this machine, and all of them have to go.
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { PATH: '/usr/bin:/bin', LD_PRELOAD: kernel.preload } },
  );
  let output = '';
  let timedOut = false;
  const collect = (data: Buffer): void => {
    const text = data.toString().replaceAll('\r\n', '\n');
    output += text;
    options.onOutput?.(text);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const killAll = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      // Nobody of the group is left.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  };
  const limit = setTimeout(() => {
    timedOut = true;
    killAll();
  }, options.timeoutMs);
  // Nothing else ends a guest when this process is told to end.
  process.once('exit', killAll);
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', () => {
        killAll();
        resolve();
      });
    });
  } finally {
    clearTimeout(limit);
    process.off('exit', killAll);
    rmSync(state, { recursive: true, force: true });
  }
  return { output, timedOut };
}
