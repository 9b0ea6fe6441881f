import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../pkg/base/component.ts';
import { Campaign, type Round } from '../../test/faults/campaign.ts';
import { seeded, shuffled, summary } from '../../test/faults/plan.ts';
import { buildExecutable } from '../build/executable.ts';
import { isArch } from '../build/platform.ts';
import { ensurePackages } from './lib/apt.ts';
import { ensureGenerated } from './lib/generated.ts';
import { ensureKubectl } from './lib/kubectl.ts';
import { BUILD_DIR } from './lib/project.ts';
import { runMain, say, step } from './lib/report.ts';

const USAGE = 'use `npm run test:faults -- [--minutes N] [--seed N]`';

/**
 * `npm run test:faults [-- --minutes N --seed N]`: three servers and an agent, all of them nodes; for N minutes (10
 * unless given) one process after the other is killed, or a cable pulled. Ends with what came of it, also in
 * build/faults-summary.txt; fails at the first thing that is lost or does not heal.
 */
await runMain(async (args) => {
  const { minutes, seed } = parse(args);
  if (process.getuid?.() !== 0) throw new OperatorError('this runs containers: run it as root');
  if (!isArch(process.arch)) throw new OperatorError(`kedge is not built for ${process.arch}`);
  await ensurePackages('runtime', 'build', 'test');
  await ensureKubectl();
  ensureGenerated();
  await buildExecutable(process.arch);
  const random = seeded(seed);
  const options = { serverNodes: true, replicas: 6, random, say };
  const campaign = await step('three servers and an agent', () => Campaign.start(options));
  const begun = Date.now();
  const lines = [
    `seed ${seed}, begun ${new Date(begun).toISOString()}`,
    `memory at the start: ${await campaign.memory()}`,
  ];
  const rounds: Round[] = [];
  let outcome = 'everything acknowledged is there, everything has healed, nothing is left over';
  try {
    for (const fault of shuffled(random)) {
      if (Date.now() - begun > minutes * 60_000) break;
      rounds.push(await campaign.strike(fault));
    }
    lines.push(`memory at the end: ${await campaign.memory()}`);
    await campaign.finish();
    await campaign.leave();
  } catch (error) {
    outcome = `FAILED: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    await campaign.close();
  }
  lines.push(
    ...summary(rounds),
    `${((Date.now() - begun) / 60_000).toFixed(1)} minutes, ${rounds.length} faults, ${campaign.writes.count} writes acknowledged, ${campaign.answers.count} questions to the Service, ${campaign.answers.failures.length} unanswered, ${campaign.answers.slow.length} answered after more than 2 s`,
    ...campaign.answers.slow.map((each) => `slow: ${each}`),
    outcome,
  );
  const text = `${lines.join('\n')}\n`;
  writeFileSync(join(BUILD_DIR, 'faults-summary.txt'), text);
  process.stdout.write(`\n${text}`);
  return outcome.startsWith('FAILED') ? 1 : 0;
});

function parse(args: readonly string[]): { readonly minutes: number; readonly seed: number } {
  const given = { '--minutes': 10, '--seed': Date.now() % 1_000_000 };
  for (let index = 0; index < args.length; index += 2) {
    const name = args[index];
    const value = Number(args[index + 1]);
    if ((name !== '--minutes' && name !== '--seed') || !(value > 0)) throw new OperatorError(USAGE);
    given[name] = value;
  }
  return { minutes: given['--minutes'], seed: given['--seed'] };
}
