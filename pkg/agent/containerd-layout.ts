import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { pathsFor, RUN_DIR } from '../base/paths.ts';

/** Where kedge's own containerd keeps its things; none of it is shared with another containerd on the host. */
export interface ContainerdLayout {
  readonly dataDir: string;
  readonly runDir: string;
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly config: string;
  readonly log: string;
  /** Which process is ours and with which configuration it was started. */
  readonly record: string;
  /** `<registry>/hosts.toml` files: mirrors and certificates of registries. */
  readonly registries: string;
  readonly cniConf: string;
  /** runc's own state, which containerd would otherwise keep in a directory shared by every containerd. */
  readonly runcRoot: string;
}

/** The layout for a data directory; `runDir` holds what a reboot may clear. */
export function containerdLayout(dataDir: string, runDir = RUN_DIR): ContainerdLayout {
  const paths = pathsFor(dataDir);
  const state = join(runDir, 'containerd');
  return {
    dataDir,
    runDir,
    root: paths.containerdRoot,
    state,
    socket: join(state, 'containerd.sock'),
    config: paths.containerdConfig,
    log: paths.containerdLog,
    record: join(runDir, 'containerd.json'),
    registries: join(dirname(paths.containerdConfig), 'certs.d'),
    cniConf: paths.cniConf,
    runcRoot: join(state, 'runc'),
  };
}

/** A short name for a configuration: two that are equal have the same. */
export function hashOf(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text).update('\0');
  return hash.digest('hex').slice(0, 16);
}
