import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../../pkg/base/component.ts';
import { downloadPackage, ensurePackages } from './apt.ts';
import { mustRun } from './command.ts';
import { BUILD_DIR } from './project.ts';
import { step } from './report.ts';

/** A Linux kernel that runs as a program of this machine (User-Mode Linux), with IPVS, dummy devices and cgroup v2. */
export interface GuestKernel {
  readonly program: string;
  /** A folder with `lib/modules/<release>`, for `modprobe --dirname`. */
  readonly modules: string;
  readonly release: string;
  /** A library to be preloaded into `program`: see user-mode-linux.c. */
  readonly preload: string;
}

const TOOL_DIR = join(BUILD_DIR, 'tools', 'user-mode-linux');
const ROOT_DIR = join(TOOL_DIR, 'root');

/**
 * Debian's user-mode-linux: fetched once and unpacked below build/. Nothing of it is installed. Undefined where there
 * is none: it exists for x64 only. Throws OperatorError when Debian's archive cannot be reached.
 */
export async function ensureUserModeLinux(): Promise<GuestKernel | undefined> {
  if (process.arch !== 'x64') return undefined;
  const made = userModeLinux();
  if (made !== undefined) return made;
  await ensurePackages('runtime', 'build');
  await step("fetching Debian's user-mode-linux", unpack);
  const kernel = userModeLinux();
  if (kernel === undefined) throw new OperatorError(`${TOOL_DIR} is not complete: delete it and try again`);
  return kernel;
}

/** What `ensureUserModeLinux` made; undefined when it did not. */
export function userModeLinux(): GuestKernel | undefined {
  const folder = join(ROOT_DIR, 'lib', 'modules');
  const [release] = existsSync(folder) ? readdirSync(folder) : [];
  if (release === undefined) return undefined;
  const program = join(ROOT_DIR, 'usr', 'bin', 'linux.uml');
  return { program, modules: ROOT_DIR, release, preload: join(ROOT_DIR, 'user-mode-linux.so') };
}

async function unpack(): Promise<void> {
  const half = join(TOOL_DIR, 'root.new');
  rmSync(TOOL_DIR, { recursive: true, force: true });
  mkdirSync(half, { recursive: true });
  await downloadPackage('user-mode-linux', TOOL_DIR);
  const archive = readdirSync(TOOL_DIR).find((name) => name.endsWith('.deb')) ?? '';
  await mustRun('dpkg', ['-x', join(TOOL_DIR, archive), half]);
  mkdirSync(join(half, 'lib'));
  renameSync(join(half, 'usr', 'lib', 'uml', 'modules'), join(half, 'lib', 'modules'));
  for (const release of readdirSync(join(half, 'lib', 'modules'))) await mustRun('depmod', ['-b', half, release]);
  const source = join(half, 'user-mode-linux.c');
  copyFileSync(join(import.meta.dirname, 'user-mode-linux.c'), source);
  await mustRun('gcc', ['-O2', '-shared', '-fPIC', '-o', source.replace(/c$/, 'so'), source, '-ldl']);
  rmSync(join(TOOL_DIR, archive));
  renameSync(half, ROOT_DIR);
}
