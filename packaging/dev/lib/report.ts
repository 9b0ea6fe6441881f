import { OperatorError } from '../../../pkg/base/component.ts';
import { errorText } from '../../../pkg/base/log.ts';
import { CommandError } from './command.ts';

/** Progress for whoever waits at the terminal: what is being done, and how long it took. */

/** When the command began, for those parts of it that are processes of their own. */
export const STARTED_VARIABLE = 'KEDGE_DEV_STARTED';

export const started = Number(process.env[STARTED_VARIABLE] ?? Date.now());

/** Seconds since `since` as `3.2 s`. */
export function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

/** Writes one line of progress, with the time since the command began in front. */
export function say(text: string): void {
  process.stdout.write(`[${seconds(started).padStart(7)}] ${text}\n`);
}

/** Says what begins, does it, and says how long it took. */
export async function step<T>(text: string, work: () => Promise<T>): Promise<T> {
  say(`${text} ...`);
  const begun = Date.now();
  const result = await work();
  say(`${text}: done in ${seconds(begun)}`);
  return result;
}

/** Runs a command's main function: an expected failure becomes one line and exit code 1. */
export async function runMain(main: (args: readonly string[]) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    const expected = error instanceof OperatorError || error instanceof CommandError;
    process.stderr.write(`kedge: ${expected || !(error instanceof Error) ? errorText(error) : error.stack}\n`);
    process.exitCode = 1;
  }
}
