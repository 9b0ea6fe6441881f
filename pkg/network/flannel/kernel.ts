import type { RunProgram } from '../../host/nft.ts';
import { parseIpJson } from './links.ts';
import type { KernelChanges, KernelForwarding, KernelNeighbour, KernelRoute, KernelState } from './plan-changes.ts';

/** Reads what `planChanges` compares; `device` is the VXLAN device, undefined when there is none. */
export async function readKernelState(device: string | undefined, run: RunProgram): Promise<KernelState> {
  const routes = await run(['ip', '-4', '-json', 'route', 'show', 'table', 'main']);
  const state = { routes: all(routes) as KernelRoute[], neighbours: [], forwarding: [] };
  if (device === undefined) return state;
  const [neighbours, forwarding] = await Promise.all([
    run(['ip', '-4', '-json', 'neigh', 'show', 'dev', device, 'nud', 'permanent']),
    run(['bridge', '-json', 'fdb', 'show', 'dev', device]),
  ]);
  return {
    ...state,
    // Asked for one device, ip does not say which.
    neighbours: (all(neighbours) as KernelNeighbour[]).map((neighbour) => ({ ...neighbour, dev: device })),
    forwarding: all(forwarding) as KernelForwarding[],
  };
}

function all(text: string): object[] {
  return parseIpJson(text).flat();
}

/** Carries every change out; one that fails keeps none of the others back. Throws ExecError when any did. */
export async function applyChanges(changes: KernelChanges, run: RunProgram): Promise<void> {
  const failures: unknown[] = [];
  for (const [program, lines] of [
    ['bridge', changes.bridge],
    ['ip', changes.ip],
  ] as const) {
    if (lines.length === 0) continue;
    try {
      await run([program, '-force', '-batch', '-'], { input: `${lines.join('\n')}\n` });
    } catch (error) {
      failures.push(error);
    }
  }
  const [first] = failures;
  if (first !== undefined) throw first;
}
