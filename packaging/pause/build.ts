import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PAUSE_IMAGE } from '../../pkg/agent/pause-image.ts';
import { OperatorError } from '../../pkg/base/component.ts';
import { errorText } from '../../pkg/base/log.ts';
import { type Architecture, hostArchitecture, imageArchive } from '../images/oci-archive.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const BUILD = join(HERE, '../../build');

const COMPILERS: Readonly<Record<Architecture, string>> = {
  amd64: 'x86_64-linux-gnu-gcc',
  arm64: 'aarch64-linux-gnu-gcc',
};
const FLAGS = [
  '-Os',
  '-static',
  '-nostdlib',
  '-ffreestanding',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
];
const LINK_FLAGS = ['-Wl,--build-id=none', '-Wl,-z,noseparate-code', '-Wl,-z,norelro', '-s'];

/** Where the archive for `architecture` is: `build/pause.tar` for this machine's, else `build/pause-<arch>.tar`. */
export function pauseArchivePath(architecture: Architecture): string {
  return join(BUILD, architecture === hostArchitecture() ? 'pause.tar' : `pause-${architecture}.tar`);
}

/** Compiles pause.c and packs it as PAUSE_IMAGE. Returns the archive's path; throws OperatorError without a compiler. */
export function buildPause(architecture: Architecture = hostArchitecture()): string {
  const rootfs = [{ type: 'file', path: 'pause', mode: 0o755, data: compile(architecture) }] as const;
  const archive = imageArchive({ ref: PAUSE_IMAGE, architecture, rootfs, entrypoint: ['/pause'], user: '65535:65535' });
  mkdirSync(BUILD, { recursive: true });
  const output = pauseArchivePath(architecture);
  writeFileSync(output, archive);
  return output;
}

function compile(architecture: Architecture): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-pause-'));
  try {
    const output = join(folder, 'pause');
    const compiler = architecture === hostArchitecture() ? 'gcc' : COMPILERS[architecture];
    try {
      execFileSync(compiler, [...FLAGS, ...LINK_FLAGS, '-o', output, join(HERE, 'pause.c')], { stdio: 'pipe' });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
        throw new Error(`pause.c does not compile: ${errorText(error)}`, { cause: error });
      }
      const remedy = compiler === 'gcc' ? 'gcc' : `gcc-${compiler.replace(/-gcc$/, '')}`;
      throw new OperatorError(`${compiler} is not installed: apt install ${remedy}`);
    }
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv[2];
  const architecture = asked === 'amd64' || asked === 'arm64' ? asked : hostArchitecture();
  process.stdout.write(`${buildPause(architecture)}\n`);
}
