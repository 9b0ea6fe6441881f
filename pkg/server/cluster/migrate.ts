import { rename, rm } from 'node:fs/promises';
import type { Logger } from '../../base/log.ts';
import type { Paths } from '../../base/paths.ts';
import type { Datastore, KeyValue } from '../../datastore/datastore.ts';

const PAGE = 500;
const AT_A_TIME = 64;

/** Puts every key of `from`, as of one moment, into the empty `to`. Resolves to how many there were. */
export async function copyDatastore(from: Datastore, to: Datastore): Promise<number> {
  let after: string | undefined;
  let revision: number | undefined;
  let count = 0;
  for (;;) {
    const at = revision === undefined ? {} : { revision };
    const page = await from.list('', { limit: PAGE, ...at, ...(after === undefined ? {} : { after }) });
    revision = page.revision;
    await putAll(to, page.kvs);
    count += page.kvs.length;
    after = page.kvs.at(-1)?.key;
    if (!page.more || after === undefined) return count;
  }
}

/** Makes the keys in a datastore that has none of them. */
export async function putAll(to: Datastore, kvs: readonly Pick<KeyValue, 'key' | 'value'>[]): Promise<void> {
  const rest = kvs.values();
  const work = async (): Promise<void> => {
    for (const { key, value } of rest) {
      const result = await to.create(key, value);
      if (!result.ok) throw new Error(`${key} is there already`);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

export interface MigrationOptions {
  readonly paths: Paths;
  readonly openLibsql: () => Promise<Datastore>;
  readonly openEtcd: () => Promise<Datastore>;
  readonly log: Logger;
}

/**
 * Moves a single server's data into etcd. The libSQL file counts until it is renamed at the very end: a move that is
 * broken off begins again from the file. Revisions begin anew, so clients list again.
 */
export async function migrateToEtcd({ paths, openLibsql, openEtcd, log }: MigrationOptions): Promise<void> {
  log.info('moving the data of this server into etcd');
  const from = await openLibsql();
  let count: number;
  try {
    const to = await openEtcd();
    try {
      count = await copyDatastore(from, to);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  const kept = `${paths.database}.migrated`;
  await rename(paths.database, kept);
  for (const suffix of ['-wal', '-shm']) await rm(`${paths.database}${suffix}`, { force: true });
  log.info('the data of this server is in etcd', { keys: count, before: kept });
}
