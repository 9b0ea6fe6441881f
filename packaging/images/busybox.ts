import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '../../pkg/base/component.ts';
import { hostArchitecture, imageArchive } from './oci-archive.ts';
import type { TarEntry } from './tar.ts';

/** The image of tests and examples: busybox with all its applets and a page below `/www`. */
export const BUSYBOX_IMAGE = 'kedge.dev/test/busybox:1';

const PROGRAMS = ['/bin/busybox', '/usr/bin/busybox'];
const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/www:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const GROUP = 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n';
const OUTPUT = join(dirname(fileURLToPath(import.meta.url)), '../../build/images/busybox.tar');

/** The archive of BUSYBOX_IMAGE, made of Debian's `busybox-static`. `ref` names the image otherwise. */
export function busyboxArchive(ref = BUSYBOX_IMAGE): Buffer {
  const program = PROGRAMS.find((path) => existsSync(path));
  if (program === undefined) throw new OperatorError('busybox is not installed: apt install busybox-static');
  const applets = execFileSync(program, ['--list'], { encoding: 'utf8' }).split('\n');
  return imageArchive({
    ref,
    architecture: hostArchitecture(),
    cmd: ['sh'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    rootfs: rootfs(readFileSync(program), applets),
  });
}

/** Writes the archive of BUSYBOX_IMAGE to build/images/busybox.tar and returns that path. */
export function buildBusybox(): string {
  mkdirSync(dirname(OUTPUT), { recursive: true });
  writeFileSync(OUTPUT, busyboxArchive());
  return OUTPUT;
}

function rootfs(program: Buffer, applets: readonly string[]): TarEntry[] {
  const directory = (path: string, mode = 0o755): TarEntry => ({ type: 'directory', path, mode });
  const file = (path: string, text: string): TarEntry => ({ type: 'file', path, mode: 0o644, data: Buffer.from(text) });
  const links = applets
    .filter((name) => name !== '' && name !== 'busybox')
    .map((name): TarEntry => ({ type: 'symlink', path: `bin/${name}`, target: 'busybox' }));
  return [
    ...['bin', 'dev', 'etc', 'home', 'proc', 'sys', 'usr', 'usr/bin', 'var', 'var/log', 'www'].map((path) =>
      directory(path),
    ),
    directory('root', 0o700),
    directory('tmp', 0o1777),
    directory('var/tmp', 0o1777),
    { type: 'file', path: 'bin/busybox', mode: 0o755, data: program },
    ...links,
    file('etc/passwd', PASSWD),
    file('etc/group', GROUP),
    file('www/index.html', 'hello from kedge\n'),
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${buildBusybox()}\n`);
