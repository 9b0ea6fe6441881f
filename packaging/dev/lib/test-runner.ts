import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { type EventData, run as runTests } from 'node:test';
import { ROOT } from './project.ts';
import { say } from './report.ts';

/** How many tests ended how; tests, not the suites around them, are counted. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export interface SuiteOptions {
  /** Test files, absolute. */
  readonly files: readonly string[];
  /** Tests that share nothing run on all cores at once; others one by one, or on private hosts. */
  readonly concurrency: 'cores' | 'hosts';
  /** Longest time of one test, in ms. */
  readonly testTimeout: number;
  /** Longest time of all files together, in ms; whatever still runs then is ended and counts as failed. */
  readonly suiteTimeout: number;
  /** Runs only tests whose name matches. */
  readonly namePattern?: string | undefined;
}

/** What is known of one file while it runs. */
interface FileTally {
  passed: number;
  failed: number;
  output: string;
}

/** More of what a file writes is not shown. */
export const LONGEST_OUTPUT = 256 * 1024;

/** Runs test files, each in a process of its own; says how each file went and shows every failure. */
export async function runTestFiles(options: SuiteOptions): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const tallies = new Map<string, FileTally>();
  const tallyOf = (file = '(unknown file)'): FileTally => {
    const tally = tallies.get(file) ?? { passed: 0, failed: 0, output: '' };
    tallies.set(file, tally);
    return tally;
  };
  const fail = (file: string | undefined, text: string): void => {
    counts.failed += 1;
    tallyOf(file).failed += 1;
    process.stdout.write(text);
  };
  const events = runTests({
    files: [...options.files],
    cwd: ROOT,
    concurrency: options.concurrency === 'cores' ? availableParallelism() : 1,
    timeout: options.testTimeout,
    signal: AbortSignal.timeout(options.suiteTimeout),
    // A handle that a test forgot must not keep its process, and so the whole run, from ending.
    execArgv: ['--test-force-exit'],
    ...(options.namePattern === undefined ? {} : { testNamePatterns: [options.namePattern] }),
  });
  for await (const { type, data } of events) {
    switch (type) {
      case 'test:pass':
        if (data.details.type === 'suite') break;
        if (data.skip !== undefined && data.skip !== false) counts.skipped += 1;
        else if (data.name !== data.file) {
          counts.passed += 1;
          tallyOf(data.file).passed += 1;
        } else if (options.namePattern === undefined) {
          fail(data.file, `\nFAILED: ${relative(ROOT, data.name)} has no tests\n\n`);
        }
        break;
      case 'test:fail':
        // Who fails only because a test inside failed says nothing new.
        if (failureType(data) === 'subtestsFailed') break;
        fail(data.file, failureText(data));
        // A file that could not be loaded, or died, fails as a whole and gets no summary.
        if (data.name === data.file) endOfFile(data.file, tallyOf(data.file), data.details.duration_ms);
        break;
      case 'test:stderr':
      case 'test:stdout': {
        const tally = tallyOf(data.file);
        if (tally.output.length < LONGEST_OUTPUT) tally.output += data.message;
        break;
      }
      case 'test:summary':
        if (data.file !== undefined) endOfFile(data.file, tallyOf(data.file), data.duration_ms);
        break;
    }
  }
  return counts;
}

function endOfFile(file: string, tally: FileTally, ms: number): void {
  const name = relative(ROOT, file);
  if (tally.failed > 0 && tally.output !== '') process.stdout.write(`output of ${name}:\n${tally.output}\n`);
  const failures = tally.failed === 0 ? '' : `, ${tally.failed} FAILED`;
  say(`  ${name}: ${tally.passed} passed${failures} (${(ms / 1000).toFixed(1)} s)`);
}

function failureType(data: EventData.TestFail): unknown {
  return 'failureType' in data.details.error ? data.details.error.failureType : undefined;
}

function failureText(data: EventData.TestFail): string {
  const { cause } = data.details.error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause ?? data.details.error.message);
  const place = data.file === undefined ? '' : ` (${relative(ROOT, data.file)}:${data.line ?? 0})`;
  const name = data.name === data.file ? relative(ROOT, data.name) : data.name;
  return `\nFAILED: ${name}${place}\n${text.replace(/^/gm, '    ')}\n\n`;
}
