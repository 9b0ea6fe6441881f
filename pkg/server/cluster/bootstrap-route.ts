import { sendDocument } from '../../apiserver/http/exchange.ts';
import type { ExtraRoute } from '../../apiserver/http/router.ts';
import type { Paths } from '../../base/paths.ts';
import { VERSION } from '../../base/version.ts';
import { readSharedFiles, SERVER_BOOTSTRAP_PATH, type ServerBootstrap } from '../../bootstrap/server-bootstrap.ts';

export interface BootstrapRouteOptions {
  readonly paths: Paths;
  readonly critical: Readonly<Record<string, string>>;
  /** Client addresses of etcd's members; undefined where the data is not in etcd. */
  readonly etcd: () => Promise<readonly string[]> | undefined;
}

/** Gives a machine that shows the servers' token what it needs to be a server (k3s: /v1-k3s/server-bootstrap). */
export function bootstrapRoute({ paths, critical, etcd }: BootstrapRouteOptions): ExtraRoute {
  return {
    method: 'GET',
    path: SERVER_BOOTSTRAP_PATH,
    handle: async (exchange) => {
      const clientURLs = await etcd();
      const answer: ServerBootstrap = {
        files: await readSharedFiles(paths),
        critical: { ...critical },
        ...(clientURLs === undefined ? {} : { etcd: { clientURLs: [...clientURLs] } }),
        version: VERSION,
      };
      sendDocument(exchange, answer);
    },
  };
}
