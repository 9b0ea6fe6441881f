import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';

/**
 * The password that proves to the cluster that a node's name is still this machine's: made once and kept outside the
 * data directory, as k3s keeps it, so that a machine whose data was removed may join again under its name.
 */
export async function ensureNodePassword(path: string): Promise<string> {
  try {
    const known = (await readFile(path, 'utf8')).trim();
    if (known !== '') return known;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const password = randomBytes(16).toString('hex');
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFileAtomic(path, `${password}\n`, { mode: 0o600, durable: true });
  return password;
}
