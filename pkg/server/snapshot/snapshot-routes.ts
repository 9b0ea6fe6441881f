import { statusErrors } from '../../apimachinery/status-error.ts';
import { readBody, sendDocument } from '../../apiserver/http/exchange.ts';
import type { ExtraRoute } from '../../apiserver/http/router.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Paths } from '../../base/paths.ts';
import type { Datastore } from '../../datastore/datastore.ts';
import { clusterId } from './cluster-id.ts';
import { SNAPSHOTS_PATH, snapshotPath, writeSnapshot } from './snapshot-file.ts';

export interface SnapshotRouteOptions {
  readonly paths: Paths;
  readonly datastore: () => Datastore;
  readonly store: 'libsql' | 'etcd';
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The name of a snapshot made now. */
export function snapshotName(prefix: string, nodeName: string, now: number): string {
  return `${prefix}-${nodeName}-${Math.floor(now / 1000)}`;
}

/** POST makes a snapshot in this server's folder, while everything runs. */
export function snapshotRoute(options: SnapshotRouteOptions): ExtraRoute {
  const { paths, datastore, store, nodeName, clock, log } = options;
  return {
    method: 'POST',
    path: SNAPSHOTS_PATH,
    handle: async (exchange) => {
      const name = snapshotName(prefixOf(await readBody(exchange.request)), nodeName, clock.now());
      const path = snapshotPath(paths.snapshots, name);
      const createdAt = new Date(clock.now()).toISOString();
      const cluster = await clusterId(paths);
      const made = await writeSnapshot(datastore(), path, { cluster, store, node: nodeName, createdAt });
      log.info('snapshot saved', { path, ...made });
      sendDocument(exchange, { name, path, ...made });
    },
  };
}

function prefixOf(body: Buffer): string {
  const { prefix } = JSON.parse(body.toString('utf8') || '{}') as { prefix?: unknown };
  if (prefix === undefined) return 'on-demand';
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(prefix)) {
    throw statusErrors.badRequest('the name of a snapshot has letters, digits, ".", "_" and "-" only');
  }
  return prefix;
}
