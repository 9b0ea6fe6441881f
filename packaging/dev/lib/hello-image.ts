import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathsFor } from '../../../pkg/base/paths.ts';
import { busyboxArchive } from '../../images/busybox.ts';

/** Puts the image of examples and tests where kedge imports images from, unless it is there already. */
export function placeBusyboxImage(dataDir: string): void {
  const folder = pathsFor(dataDir).images;
  const file = join(folder, 'busybox.tar');
  const archive = busyboxArchive();
  if (existsSync(file) && readFileSync(file).equals(archive)) return;
  mkdirSync(folder, { recursive: true });
  // kedge looks at names that end in .tar only, so it never sees half a file.
  writeFileSync(`${file}.new`, archive);
  renameSync(`${file}.new`, file);
}
