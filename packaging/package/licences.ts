import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../dev/lib/project.ts';

interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly license?: string;
}

const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/** The licences of everything the executable is made of: Node.js and the npm packages that are not tools. */
export function thirdPartyLicences(): string {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockEntry>;
  };
  const parts: string[] = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === '' || entry.dev === true || !existsSync(join(ROOT, path))) continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const texts = readdirSync(join(ROOT, path))
      .filter((file) => LICENCE_FILE.test(file))
      .sort()
      .map((file) => readFileSync(join(ROOT, path, file), 'utf8').trim());
    const title = `${name} ${entry.version ?? ''} (${entry.license ?? 'see below'})`;
    parts.push(`${title}\n${'='.repeat(title.length)}\n\n${texts.join('\n\n')}\n`);
  }
  return parts.join('\n\n');
}
