import { ExecError } from '../host/exec.ts';
import type { RunProgram } from '../host/nft.ts';
import { FORWARD_COMMENT } from './names.ts';

type Program = 'iptables' | 'ip6tables';
type Run = (argv: readonly [string, ...string[]]) => Promise<string>;

/** The arguments after `-A FORWARD`/`-I FORWARD` that let Pods' packets through, one list per rule. */
export function forwardRules(podCIDR: string): string[][] {
  const comment = ['-m', 'comment', '--comment', FORWARD_COMMENT, '-j', 'ACCEPT'];
  return [
    ['-s', podCIDR, ...comment],
    ['-d', podCIDR, ...comment],
  ];
}

/** The rules of `iptables -S FORWARD` that kedge made, as arguments after `-D`. */
export function ownForwardRules(listing: string): string[][] {
  return listing
    .split('\n')
    .filter((line) => line.startsWith('-A FORWARD ') && line.includes(`--comment "${FORWARD_COMMENT}"`))
    .map((line) => line.slice('-A '.length).replace(`"${FORWARD_COMMENT}"`, '\0').split(' '))
    .map((words) => words.map((word) => (word === '\0' ? FORWARD_COMMENT : word)));
}

/**
 * Lets Pods' packets pass a host whose iptables FORWARD policy is DROP, as Docker and ufw set it: no other table's
 * accept can undo that verdict. Nothing is written where the policy is ACCEPT or iptables is not installed.
 */
export async function acceptForwarding(podCIDR: string, run: RunProgram): Promise<boolean> {
  const program: Program = podCIDR.includes(':') ? 'ip6tables' : 'iptables';
  const listing = await list(program, run);
  if (!listing?.includes('-P FORWARD DROP')) return false;
  const wanted = forwardRules(podCIDR);
  const present = ownForwardRules(listing);
  if (present.length === wanted.length && present.every((rule) => rule.includes(podCIDR))) return false;
  await removeRules(program, present, run);
  for (const rule of wanted) await run([program, '-w', '5', '-I', 'FORWARD', ...rule]);
  return true;
}

/** Removes what `acceptForwarding` ever added. */
export async function removeForwarding(run: RunProgram): Promise<void> {
  for (const program of ['iptables', 'ip6tables'] as const) {
    await removeRules(program, ownForwardRules((await list(program, run)) ?? ''), run);
  }
}

async function removeRules(program: Program, rules: readonly string[][], run: Run): Promise<void> {
  for (const rule of rules) await run([program, '-w', '5', '-D', ...rule]);
}

/** Undefined where there is no iptables, or no kernel support for it: then no iptables rule can be in the way. */
async function list(program: Program, run: Run): Promise<string | undefined> {
  try {
    return await run([program, '-w', '5', '-S', 'FORWARD']);
  } catch (error) {
    if (error instanceof ExecError) return undefined;
    throw error;
  }
}
