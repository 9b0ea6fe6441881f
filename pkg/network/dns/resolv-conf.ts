import { type FSWatcher, watch } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { parseAddress } from '../../base/ip.ts';
import type { Upstream } from './upstream-query.ts';

const DNS_PORT = 53;
const RESOLV_CONF = '/etc/resolv.conf';
/** What systemd-resolved's stub at 127.0.0.53 itself asks. */
const SYSTEMD_RESOLV_CONF = '/run/systemd/resolve/resolv.conf';

/** The name servers of a resolv.conf, each once, in order. Zones of link-local IPv6 addresses are kept. */
export function parseNameServers(text: string): string[] {
  const servers = text.split('\n').flatMap((line) => {
    const [keyword, server = ''] = line.trim().split(/\s+/);
    const valid = keyword === 'nameserver' && parseAddress(server.replace(/%.*$/, '')) !== undefined;
    return valid ? [server] : [];
  });
  return [...new Set(servers)];
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/**
 * Whom to ask, given the host's resolv.conf and systemd-resolved's. Loopback servers are stubs as a rule: those
 * systemd-resolved asks itself are taken instead. A host with nothing but a loopback server (dnsmasq, unbound) is
 * asked there, as kedge runs on the host. `own`: kedge's own addresses, which would be asked in a circle.
 */
export function planUpstreams(host: string, systemd: string | undefined, own: ReadonlySet<string>): Upstream[] {
  const servers = parseNameServers(host).filter((address) => !own.has(address));
  const remote = servers.filter((address) => !isLoopback(address));
  const behindStub = parseNameServers(systemd ?? '').filter((address) => !own.has(address) && !isLoopback(address));
  const chosen = remote.length > 0 ? remote : behindStub.length > 0 ? behindStub : servers;
  return chosen.map((address) => ({ address, port: DNS_PORT }));
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The upstreams of this host; of the file at `path` instead of /etc/resolv.conf when given. */
export async function readUpstreams(own: ReadonlySet<string>, path?: string): Promise<Upstream[]> {
  const systemd = path === undefined ? await readIfThere(SYSTEMD_RESOLV_CONF) : undefined;
  return planUpstreams((await readIfThere(path ?? RESOLV_CONF)) ?? '', systemd, own);
}

/** Calls `onChange` when the files may have changed; returns how to stop that. */
export async function watchUpstreams(onChange: () => void, path?: string): Promise<() => void> {
  const files = new Set(path === undefined ? [RESOLV_CONF, SYSTEMD_RESOLV_CONF] : [path]);
  // The file is often a link to one that another service rewrites.
  for (const file of [...files]) {
    try {
      files.add(await realpath(file));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  const watchers: FSWatcher[] = [];
  for (const [folder, names] of Map.groupBy(files, dirname)) {
    const wanted = new Set(names.map((name) => basename(name)));
    try {
      // The folder, because writers replace the file.
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || wanted.has(name)) onChange();
      });
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}
