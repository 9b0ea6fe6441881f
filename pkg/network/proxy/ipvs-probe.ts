import { ExecError } from '../../host/exec.ts';
import { findIptables } from '../../host/iptables.ts';
import { READ_SERVERS } from '../../host/ipvs.ts';
import type { RunProgram } from '../../host/nft.ts';
import { IPVS_DEVICE } from '../names.ts';
import { hasIpvsDevice } from './ipvs-host.ts';

/** What keeps a machine from IPVS. */
export interface IpvsObstacle {
  readonly kind: 'kernel' | 'program';
  readonly text: string;
  /** What the operator can do about it. */
  readonly remedy: string;
}

const OTHER_KERNEL = 'run a kernel that has it';

/** What this machine's kernel and programs lack for IPVS; undefined when they can do it. Nothing of it stays. */
export async function ipvsObstacle(run: RunProgram): Promise<IpvsObstacle | undefined> {
  try {
    await run(['modprobe', '-a', 'ip_vs', 'ip_vs_rr', 'dummy']);
  } catch (error) {
    // They may be built in; what follows tells.
    if (!(error instanceof ExecError)) throw error;
  }
  try {
    await run(READ_SERVERS);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    return { kind: 'kernel', text: 'this kernel has no IPVS (module ip_vs)', remedy: OTHER_KERNEL };
  }
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
  if (missing.length > 0) {
    const names = missing.join(' ');
    return { kind: 'program', text: `programs are missing: ${missing.join(', ')}`, remedy: `apt install ${names}` };
  }
  try {
    await run(['ipvsadm', '-Ln']);
    await run(['ipset', 'list', '-name']);
    if (!(await hasIpvsDevice(run))) {
      await run(['ip', 'link', 'add', IPVS_DEVICE, 'type', 'dummy']);
      await run(['ip', 'link', 'delete', IPVS_DEVICE]);
    }
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    const text = `this kernel cannot do what IPVS mode needs (${error.message})`;
    return { kind: 'kernel', text, remedy: OTHER_KERNEL };
  }
  if ((await findIptables(4, run)) === undefined) {
    return { kind: 'kernel', text: 'neither iptables nor iptables-legacy works here', remedy: OTHER_KERNEL };
  }
  return undefined;
}
