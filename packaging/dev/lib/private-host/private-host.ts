import { join } from 'node:path';

const INIT = join(import.meta.dirname, 'init.sh');
const ENTER = join(import.meta.dirname, 'enter.sh');

/** Arguments that end a program with the process that has started it, however that ends. */
export const ENDS_WITH_US = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;

/** Namespaces of cgroups begin where the process is that makes them: it goes there first. */
const JOIN_CGROUPS =
  'for h in $(awk \'$3 == "cgroup" { print $2 }\' /proc/mounts); do echo $$ >"$h/$0/cgroup.procs"; done; exec "$@"';

/**
 * The command that makes a private host and runs `program` on it: a machine of its own as far as kedge can tell
 * (network, mounts, processes, host name and cgroups), on the file system of this one. With the program, everything on
 * the host ends; without a program the host says `ready` and lives until its input is closed. The cgroup `cgroup` has
 * to exist (`makeCgroups`), and to be removed afterwards.
 */
export function privateHost(cgroup: string, name: string, program: readonly string[] = []): string[] {
  const namespaces = ['unshare', '--mount', '--net', '--pid', '--ipc', '--uts', '--cgroup', '--fork', '--kill-child'];
  const inside = [...namespaces, '--propagation', 'private', INIT, name, ...program];
  return [...ENDS_WITH_US, 'sh', '-c', JOIN_CGROUPS, cgroup, ...inside];
}

/** The command that runs `program` on a private host whose first process is `pid`. */
export function onPrivateHost(pid: number, cgroup: string, program: readonly string[]): string[] {
  return [ENTER, String(pid), cgroup, ...program];
}
