import { existsSync } from 'node:fs';
import { ExecError } from '../../host/exec.ts';
import { findIptables } from '../../host/iptables.ts';
import type { RunProgram } from '../../host/nft.ts';
import { IPVS_DEVICE } from '../names.ts';
import { hasIpvsDevice } from './ipvs-host.ts';

/** Whether the kernel and the programs of this machine can do IPVS; otherwise what is missing, and of which kind. */
export async function ipvsObstacle(run: RunProgram): Promise<{ kind: 'kernel' | 'program'; text: string } | undefined> {
  try {
    await run(['modprobe', '-a', 'ip_vs', 'ip_vs_rr', 'dummy']);
  } catch (error) {
    // They may be built in; what follows tells.
    if (!(error instanceof ExecError)) throw error;
  }
  if (!existsSync('/proc/net/ip_vs')) return { kind: 'kernel', text: 'this kernel has no IPVS (module ip_vs)' };
  const missing: string[] = [];
  for (const [program, argument] of [
    ['ipvsadm', '--version'],
    ['ipset', '--version'],
    ['iptables', '--version'],
  ] as const) {
    try {
      await run([program, argument]);
    } catch (error) {
      if (!(error instanceof ExecError)) throw error;
      missing.push(program);
    }
  }
  if (missing.length > 0) return { kind: 'program', text: `IPVS needs programs: apt install ${missing.join(' ')}` };
  try {
    await run(['ipvsadm', '-Ln']);
    await run(['ipset', 'list', '-name']);
    if (!(await hasIpvsDevice(run))) {
      await run(['ip', 'link', 'add', IPVS_DEVICE, 'type', 'dummy']);
      await run(['ip', 'link', 'delete', IPVS_DEVICE]);
    }
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    return { kind: 'kernel', text: `this kernel cannot do what IPVS mode needs (${error.message})` };
  }
  if ((await findIptables(4, run)) === undefined) return { kind: 'kernel', text: 'iptables does not work here' };
  return undefined;
}
