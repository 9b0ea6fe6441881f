import { OperatorError } from '../../pkg/base/component.ts';
import { type CampaignResult, runCampaign } from '../../test/fuzz/campaign.ts';
import { ensureGenerated } from './lib/generated.ts';
import { runMain, say } from './lib/report.ts';

const NAMES = ['seed', 'requests', 'first'] as const;

/**
 * `npm run test:fuzz [-- --seed N --requests N --first N]`: the long form of test/integration/fuzz.test.ts. A problem is
 * printed with the flags that send its request again; what state it met depends on the requests before it.
 */
await runMain(async (args) => {
  const given = parse(args);
  ensureGenerated();
  const seed = given.seed ?? Math.floor(Math.random() * 2 ** 31);
  const requests = given.requests ?? 100_000;
  say(`${requests} requests with --seed ${seed}`);
  const result = await runCampaign({ seed, requests, first: given.first ?? 0, say });
  process.stdout.write(summary(seed, result));
  return result.problems.length === 0 ? 0 : 1;
});

function parse(args: readonly string[]): Partial<Record<(typeof NAMES)[number], number>> {
  const given: Partial<Record<(typeof NAMES)[number], number>> = {};
  for (let index = 0; index < args.length; index += 2) {
    const name = NAMES.find((each) => args[index] === `--${each}`);
    const value = Number(args[index + 1] ?? Number.NaN);
    if (name === undefined || !Number.isInteger(value)) {
      throw new OperatorError('usage: npm run test:fuzz [-- --seed N --requests N --first N]');
    }
    given[name] = value;
  }
  return given;
}

function summary(seed: number, result: CampaignResult): string {
  const mib = result.memory.map((bytes) => (bytes / 2 ** 20).toFixed(1));
  return [
    `seed ${seed}: ${result.sent} requests in ${result.seconds.toFixed(0)} s, slowest answer ${result.slowestMs} ms`,
    `kinds: ${JSON.stringify(result.kinds)}`,
    `codes: ${JSON.stringify(result.codes)}`,
    `MiB in use after each round: ${mib.join(' ')}`,
    `${result.problems.length} problems`,
    ...result.problems,
    '',
  ].join('\n');
}
