import { OperatorError } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { ExecError } from '../../host/exec.ts';
import type { RunProgram } from '../../host/nft.ts';
import { ipvsObstacle } from './ipvs-probe.ts';
import type { ProxyMode } from './service-actor.ts';

/**
 * IPVS where the kernel has it, else nftables, unless one of them is asked for. Throws OperatorError when what is asked
 * for cannot be had.
 */
export async function chooseMode(asked: ProxyMode | 'auto', run: RunProgram, log: Logger): Promise<ProxyMode> {
  if (asked === 'ipvs') {
    await requireIpvs(run);
    return 'ipvs';
  }
  if (asked === 'auto') {
    const obstacle = await ipvsObstacle(run);
    if (obstacle === undefined) return 'ipvs';
    const { kind, text, remedy } = obstacle;
    // Programs can be had, so somebody may want to know.
    if (kind === 'program') log.info('Services are served by nftables', { reason: text, remedy });
    else log.debug('Services are served by nftables', { reason: text });
  }
  await requireNftables(run);
  return 'nftables';
}

/** Throws OperatorError when this machine cannot do IPVS, which was asked for. */
export async function requireIpvs(run: RunProgram): Promise<void> {
  const obstacle = await ipvsObstacle(run);
  if (obstacle === undefined) return;
  throw new OperatorError(`--proxy-mode=ipvs: ${obstacle.text}: ${obstacle.remedy}, or use --proxy-mode=nftables`);
}

async function requireNftables(run: RunProgram): Promise<void> {
  try {
    await run(['nft', 'list', 'tables']);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    const remedy = error.notFound
      ? 'the Service proxy needs the nft program: apt install nftables'
      : `the Service proxy cannot use nftables (${errorText(error)}): it needs root and a kernel with nf_tables`;
    throw new OperatorError(remedy);
  }
}
