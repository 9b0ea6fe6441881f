import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { OperatorError } from '../../base/component.ts';
import type { Datastore, KeyValue } from '../../datastore/datastore.ts';

/**
 * A snapshot: all keys of the cluster at one revision, whichever store they were in, in a file of its own form: one
 * line of JSON (the header), records (two lengths of four bytes, key, value), and the SHA-256 of all before it.
 */
export const headerSchema = z.object({
  kedge: z.literal('snapshot'),
  format: z.literal(1),
  /** The cluster it is of: the hash of its CA, and the CA's name for people. */
  cluster: z.object({ id: z.string(), name: z.string() }),
  store: z.enum(['libsql', 'etcd']),
  node: z.string(),
  createdAt: z.string(),
  revision: z.number(),
});
export type SnapshotHeader = z.infer<typeof headerSchema>;

export interface Snapshot {
  readonly header: SnapshotHeader;
  readonly kvs: readonly Pick<KeyValue, 'key' | 'value'>[];
}

/** Where servers make snapshots when asked, below the API server's port. */
export const SNAPSHOTS_PATH = '/v1-kedge/snapshots';

const PAGE = 500;
const HASH_BYTES = 32;
const SUFFIX = '.kedge-snapshot';

/** The file of a snapshot called `name`. */
export const snapshotPath = (folder: string, name: string): string => join(folder, `${name}${SUFFIX}`);

/** Writes all keys of `store` as of now into `path`, which appears when all of it is on disk; 0600. */
export async function writeSnapshot(
  store: Datastore,
  path: string,
  about: Omit<SnapshotHeader, 'kedge' | 'format' | 'revision'>,
): Promise<{ readonly keys: number; readonly revision: number }> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    const put = async (bytes: Uint8Array): Promise<void> => {
      hash.update(bytes);
      await file.write(bytes);
    };
    let page = await store.list('', { limit: PAGE });
    const { revision } = page;
    const header: SnapshotHeader = { kedge: 'snapshot', format: 1, ...about, revision };
    await put(Buffer.from(`${JSON.stringify(header)}\n`));
    let keys = 0;
    for (;;) {
      if (page.kvs.length > 0) await put(Buffer.concat(page.kvs.flatMap(recordOf)));
      keys += page.kvs.length;
      const after = page.kvs.at(-1)?.key;
      if (!page.more || after === undefined) break;
      page = await store.list('', { limit: PAGE, revision, after });
    }
    await file.write(hash.digest());
    await file.sync();
    await rename(temporary, path);
    return { keys, revision };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

function recordOf({ key, value }: KeyValue): Uint8Array[] {
  const name = Buffer.from(key);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(name.length, 0);
  lengths.writeUInt32BE(value.length, 4);
  return [lengths, name, value];
}

/** Reads and checks a snapshot. Throws OperatorError when it is none, or damaged. */
export async function readSnapshot(path: string): Promise<Snapshot> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new OperatorError(`the snapshot ${path} cannot be read: name one that \`kedge snapshot list\` shows`, {
      cause: error,
    });
  }
  const header = headerOf(bytes, path);
  const end = bytes.length - HASH_BYTES;
  const digest = createHash('sha256')
    .update(bytes.subarray(0, Math.max(end, 0)))
    .digest();
  if (end < 0 || !digest.equals(bytes.subarray(end))) {
    throw new OperatorError(`the snapshot ${path} is damaged (its hash is wrong): take another one`);
  }
  const kvs: Pick<KeyValue, 'key' | 'value'>[] = [];
  for (let at = bytes.indexOf('\n') + 1; at < end; ) {
    const value = at + 8 + bytes.readUInt32BE(at);
    const next = value + bytes.readUInt32BE(at + 4);
    kvs.push({ key: bytes.toString('utf8', at + 8, value), value: bytes.subarray(value, next) });
    at = next;
  }
  return { header, kvs };
}

function headerOf(bytes: Buffer, path: string): SnapshotHeader {
  const line = bytes.subarray(0, Math.max(0, bytes.indexOf('\n'))).toString('utf8');
  try {
    return headerSchema.parse(JSON.parse(line));
  } catch (error) {
    throw new OperatorError(`${path} is no snapshot of kedge, or of a newer one: name one that this kedge made`, {
      cause: error,
    });
  }
}

export interface ListedSnapshot {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly createdAt: string;
}

/** The snapshots in `folder`, oldest first. */
export async function listSnapshots(folder: string): Promise<ListedSnapshot[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  const found: ListedSnapshot[] = [];
  for (const file of names.filter((name) => name.endsWith(SUFFIX))) {
    const path = join(folder, file);
    const handle = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
      const { size } = await handle.stat();
      const { createdAt } = headerOf(buffer.subarray(0, bytesRead), path);
      found.push({ name: file.slice(0, -SUFFIX.length), path, bytes: size, createdAt });
    } finally {
      await handle.close();
    }
  }
  return found.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}
