import { existsSync, mkdirSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../../pkg/base/component.ts';
import { ensureNamedPackages } from '../dev/lib/apt.ts';
import { run } from '../dev/lib/command.ts';
import { BUILD_DIR, ROOT } from '../dev/lib/project.ts';
import { step } from '../dev/lib/report.ts';

/** A kind of machine that executables are built for, as Node.js names it. */
export type Arch = 'x64' | 'arm64';

/** What the executable for one kind of machine is made of. */
export interface Platform {
  readonly arch: Arch;
  readonly isNative: boolean;
  /** The Node.js the executable is made from. */
  readonly node: string;
  /** libSQL's native addon. */
  readonly libsqlAddon: string;
  /** The program that drops symbols from such executables. */
  readonly strip: string;
}

export function isArch(text: string): text is Arch {
  return text === 'x64' || text === 'arm64';
}

const STRIP_PACKAGES: Readonly<Record<Arch, { program: string; package: string }>> = {
  x64: { program: 'x86_64-linux-gnu-strip', package: 'binutils-x86-64-linux-gnu' },
  arm64: { program: 'aarch64-linux-gnu-strip', package: 'binutils-aarch64-linux-gnu' },
};
const COMPILER_PACKAGES: Readonly<Record<Arch, string>> = {
  x64: 'gcc-x86-64-linux-gnu',
  arm64: 'gcc-aarch64-linux-gnu',
};

/** Finds the parts for `arch`, installing those of a foreign architecture first. Throws OperatorError without them. */
export async function platformFor(arch: Arch): Promise<Platform> {
  const isNative = arch === process.arch;
  const strip = STRIP_PACKAGES[arch];
  await ensureNamedPackages(isNative ? ['binutils', 'gcc'] : [strip.package, COMPILER_PACKAGES[arch]]);
  const modules = join(isNative ? ROOT : await foreignModules(arch), 'node_modules');
  const platform = {
    arch,
    isNative,
    node: join(modules, `node-linux-${arch}`, 'bin', 'node'),
    libsqlAddon: join(modules, '@libsql', `linux-${arch}-gnu`, 'index.node'),
    strip: isNative ? 'strip' : strip.program,
  };
  for (const part of [platform.node, platform.libsqlAddon]) {
    if (!existsSync(part)) throw new OperatorError(`${part} is missing: run \`npm install\` again`);
  }
  return platform;
}

/** npm leaves out the packages of other architectures, so they are installed from the same lock file elsewhere. */
async function foreignModules(arch: Arch): Promise<string> {
  const folder = join(BUILD_DIR, `modules-${arch}`);
  if (existsSync(join(folder, 'node_modules', '.package-lock.json'))) return folder;
  mkdirSync(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) await copyFile(join(ROOT, name), join(folder, name));
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=dev'];
  const result = await step(`installing the npm packages for ${arch}`, () =>
    run('npm', [...args, `--cpu=${arch}`, '--os=linux', '--libc=glibc'], { cwd: folder }),
  );
  if (result.code !== 0)
    throw new OperatorError(`npm cannot install the packages for ${arch}: ${result.output.trim()}`);
  return folder;
}
