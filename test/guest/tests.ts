import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { userModeLinux } from '../../packaging/dev/lib/user-mode-linux.ts';
import { type GuestRun, runInGuest } from './run.ts';

/** How one test went in the guest. */
export interface GuestTestResult {
  readonly name: string;
  readonly ms: number;
  readonly skipped: boolean;
  /** The error's stack. */
  readonly failure?: string;
}

export type GuestTestOptions = Omit<GuestRun, 'kernel' | 'argv' | 'share'>;

/**
 * Declares a test that runs `file`, a file of tests, in a guest; each of its tests is a test here. Skipped on machines
 * for which there is no User-Mode Linux.
 */
export function testInGuest(name: string, file: string, options: GuestTestOptions): void {
  const skip = process.arch === 'x64' ? false : `User-Mode Linux does not exist for ${process.arch}`;
  test(name, { skip }, async (context) => {
    const { results, output, timedOut } = await runTestFile(file, options);
    for (const result of results) {
      await context.test(result.name, { skip: result.skipped }, () => {
        if (result.failure !== undefined)
          throw new Error(`in the guest, after ${result.ms.toFixed(0)} ms: ${result.failure}`);
      });
    }
    if (timedOut) throw new Error(`the guest was switched off after ${options.timeoutMs} ms; it said:\n${output}`);
    if (results.length === 0) throw new Error(`no test was run; the guest said:\n${output}`);
    if (results.some(({ failure }) => failure !== undefined)) process.stdout.write(output);
  });
}

async function runTestFile(
  file: string,
  options: GuestTestOptions,
): Promise<{ results: GuestTestResult[]; output: string; timedOut: boolean }> {
  const kernel = userModeLinux();
  if (kernel === undefined) throw new Error('there is no guest kernel: run this by `npm test`, which fetches it');
  const share = mkdtempSync(join(tmpdir(), 'kedge-share-'));
  const results = join(share, 'results');
  try {
    const reporter = join(import.meta.dirname, 'line-reporter.ts');
    const reporting = [`--test-reporter=${reporter}`, `--test-reporter-destination=${results}`, '--test-force-exit'];
    const env = { NO_COLOR: '1', ...options.env };
    const argv = [process.execPath, ...reporting, file] as const;
    const { output, timedOut } = await runInGuest({ ...options, env, kernel, share, argv });
    const lines = existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n') : [];
    const parsed = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as GuestTestResult);
    return { results: parsed, output, timedOut };
  } finally {
    rmSync(share, { recursive: true, force: true });
  }
}
