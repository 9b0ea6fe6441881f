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

/** More of what a file writes is not shown. */
export const LONGEST_OUTPUT = 256 * 1024;

/** Runs test files, each in a process of its own; says how each file went and shows every failure. */
export async function runTestFiles(options: SuiteOptions): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const files = [...options.files];
  const signal = AbortSignal.timeout(options.suiteTimeout);
  const lane = async (): Promise<void> => {
    for (let file = files.shift(); file !== undefined; file = files.shift()) {
      const { passed, failed, skipped } = await runTestFile(file, options, signal);
      counts.passed += passed;
      counts.failed += failed;
      counts.skipped += skipped;
    }
  };
  const lanes = options.concurrency === 'cores' ? availableParallelism() : 1;
  await Promise.all(Array.from({ length: lanes }, lane));
  return counts;
}

/**
 * Every event of this run is the file's, also those of tests that are declared elsewhere (their `data.file` is the
 * place of the declaration): cases that several test files share.
 */
async function runTestFile(file: string, options: SuiteOptions, signal: AbortSignal): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const begun = performance.now();
  let output = '';
  if (signal.aborted) {
    process.stdout.write(`\nFAILED: ${relative(ROOT, file)}: there was no time left for it\n\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const fail = (text: string): void => {
    counts.failed += 1;
    process.stdout.write(text);
  };
  const events = runTests({
    files: [file],
    cwd: ROOT,
    timeout: options.testTimeout,
    signal,
    // A handle that a test forgot must not keep its process, and so the whole run, from ending.
    execArgv: ['--test-force-exit'],
    ...(options.namePattern === undefined ? {} : { testNamePatterns: [options.namePattern] }),
  });
  for await (const { type, data } of events) {
    switch (type) {
      case 'test:pass':
        if (data.details.type === 'suite') break;
        if (data.skip !== undefined && data.skip !== false) counts.skipped += 1;
        else if (data.name !== file) counts.passed += 1;
        else if (options.namePattern === undefined) fail(`\nFAILED: ${relative(ROOT, file)} has no tests\n\n`);
        break;
      case 'test:fail':
        // Who fails only because a test inside failed says nothing new.
        if (failureType(data) !== 'subtestsFailed') fail(failureText(data));
        break;
      case 'test:stderr':
      case 'test:stdout':
        if (output.length < LONGEST_OUTPUT) output += data.message;
        break;
    }
  }
  const name = relative(ROOT, file);
  if (counts.failed > 0 && output !== '') process.stdout.write(`output of ${name}:\n${output}\n`);
  say(`  ${name}: ${summary(counts)} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
  return counts;
}

function summary({ passed, failed, skipped }: Counts): string {
  return [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} FAILED`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ].join(', ');
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
