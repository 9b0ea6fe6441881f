/** What a further server gets of the cluster before it can be one: the authorities, and where etcd is. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { OperatorError } from '../base/component.ts';
import type { Paths } from '../base/paths.ts';

export const SERVER_BOOTSTRAP_PATH = '/v1-kedge/server-bootstrap';

/** Files below `server/tls` that all servers of a cluster share. */
const SHARED_FILES = [
  'server-ca.crt',
  'server-ca.key',
  'client-ca.crt',
  'client-ca.key',
  'request-header-ca.crt',
  'request-header-ca.key',
  'service.key',
  'etcd/server-ca.crt',
  'etcd/server-ca.key',
  'etcd/peer-ca.crt',
  'etcd/peer-ca.key',
] as const;

const fileName = z.enum(SHARED_FILES);

export const serverBootstrapSchema = z.object({
  /** Contents by name below `server/tls`. */
  files: z.partialRecord(fileName, z.string()),
  /** Settings that have to be the same on all servers, by the name of their flag. */
  critical: z.record(z.string(), z.string()),
  /** Client addresses of etcd's voting members; absent where the data is not in etcd. */
  etcd: z.object({ clientURLs: z.array(z.url()) }).optional(),
  /** kedge's version on the server. */
  version: z.string(),
});
export type ServerBootstrap = z.infer<typeof serverBootstrapSchema>;

/** The shared files of this server. */
export async function readSharedFiles(paths: Paths): Promise<ServerBootstrap['files']> {
  const files: ServerBootstrap['files'] = {};
  for (const name of SHARED_FILES) {
    try {
      files[name] = await readFile(join(paths.tls, name), 'utf8');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  return files;
}

/** Writes the shared files: keys before their certificates, as everywhere. */
export async function writeSharedFiles(paths: Paths, files: ServerBootstrap['files']): Promise<void> {
  const isKey = (name: string): boolean => name.endsWith('.key');
  const names = SHARED_FILES.toSorted((a, b) => Number(isKey(b)) - Number(isKey(a)));
  await mkdir(paths.tls, { recursive: true, mode: 0o700 });
  for (const name of names) {
    const content = files[name];
    if (content === undefined) continue;
    const path = join(paths.tls, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFileAtomic(path, content, { mode: isKey(name) ? 0o600 : 0o644, durable: true });
  }
}

/** Throws OperatorError naming the settings in which this server differs from the others. */
export function checkCritical(
  own: Readonly<Record<string, string>>,
  theirs: Readonly<Record<string, string>>,
  server: string,
): void {
  const different = Object.entries(theirs).filter(([flag, value]) => own[flag] !== undefined && own[flag] !== value);
  if (different.length === 0) return;
  const list = different.map(([flag, value]) => `--${flag} is ${own[flag]} here but ${value} there`).join(', ');
  throw new OperatorError(
    `this server is set otherwise than ${server}: ${list}; give all servers of a cluster the same values (to change them, stop all servers first)`,
  );
}
