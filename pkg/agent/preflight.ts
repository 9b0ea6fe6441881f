import { createServer } from 'node:net';
import { OperatorError } from '../base/component.ts';
import { PORTS } from '../base/paths.ts';
import { ExecError, exec } from '../host/exec.ts';
import { readLinks } from '../network/flannel/links.ts';
import { refuseInterface } from '../network/flannel/underlay.ts';
import { requireIpvs } from '../network/proxy/mode.ts';
import type { NodeConfig } from './config.ts';
import { detectRuntimeHost } from './runtime-host.ts';

/** Programs the node's network is set up with, and the Debian packages that bring them. */
const NETWORK_PROGRAMS = [
  { argv: ['ip', '-Version'], package: 'iproute2' },
  { argv: ['nft', '--version'], package: 'nftables' },
] as const;

/** Throws OperatorError unless this process is root; `command` is what was called. */
export function requireRoot(command: string): void {
  if (process.getuid?.() === 0) return;
  throw new OperatorError(`${command} needs root to run containers and set up the network: run it as root`);
}

/**
 * Looks whether this machine has what a node needs, before anything is started or written. Throws OperatorError naming
 * the first thing that is missing and its remedy.
 */
export async function nodePreflight(config: NodeConfig): Promise<void> {
  await checkPort('0.0.0.0', PORTS.kubelet, 'move it to another port: the kubelet has no other');
  if (config.containerRuntimeSocket === undefined) await detectRuntimeHost();
  for (const program of NETWORK_PROGRAMS) await checkProgram(program.argv, program.package);
  if (config.flannelIface !== undefined) refuseInterface(config.flannelIface, await readLinks(exec));
  if (config.proxyMode === 'ipvs') await requireIpvs(exec);
}

/** Listens for a moment on `port` of `address`. Throws OperatorError when that cannot be. */
export async function checkPort(address: string, port: number, remedy: string): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, exclusive: true }, resolve);
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') {
      const finder = `ss -ltnp 'sport = :${port}'`;
      throw new OperatorError(
        `port ${port} is in use: stop the program that listens on it (\`${finder}\` names it), or ${remedy}`,
      );
    }
    if (code === 'EADDRNOTAVAIL') {
      throw new OperatorError(`this machine has no address ${address}: give one it has with --bind-address`);
    }
    throw error;
  } finally {
    server.close();
  }
}

async function checkProgram(argv: readonly [string, ...string[]], debianPackage: string): Promise<void> {
  try {
    await exec(argv);
  } catch (error) {
    if (!(error instanceof ExecError) || !error.notFound) throw error;
    throw new OperatorError(`${argv[0]} is not installed: apt install ${debianPackage}`);
  }
}
