import { globSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './project.ts';

export type SuiteName = 'unit' | 'integration' | 'e2e';

/** What `npm test -- <arguments>` asks for. */
export interface TestRequest {
  /** Test files start with one of these paths, relative to the checkout; none: everything, and the checks. */
  readonly paths: readonly string[];
  readonly namePattern: string | undefined;
}

const MINUTE = 60_000;

/** Where each kind of test is, and how it runs. Those that use the machine (network, mounts) get
 * private ones. */
export const SUITES: Readonly<
  Record<
    SuiteName,
    { patterns: readonly string[]; concurrency: 'cores' | 'hosts'; testTimeout: number; suiteTimeout: number }
  >
> = {
  unit: {
    patterns: ['cmd/**/*.test.ts', 'pkg/**/*.test.ts', 'packaging/**/*.test.ts', 'test/unit/**/*.test.ts'],
    concurrency: 'cores',
    testTimeout: MINUTE,
    suiteTimeout: 15 * MINUTE,
  },
  integration: {
    patterns: ['test/integration/**/*.test.ts'],
    concurrency: 'hosts',
    testTimeout: 10 * MINUTE,
    suiteTimeout: 30 * MINUTE,
  },
  e2e: {
    patterns: ['test/e2e/**/*.test.ts'],
    concurrency: 'hosts',
    testTimeout: 10 * MINUTE,
    suiteTimeout: 60 * MINUTE,
  },
};

/** Reads `[path …] [--name pattern]`. Returns a message instead when the arguments make no sense. */
export function parseTestArguments(args: readonly string[]): TestRequest | string {
  const paths: string[] = [];
  let namePattern: string | undefined;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (arg === '--name') {
      index += 1;
      namePattern = args[index];
      if (namePattern === undefined) return '--name needs a pattern, as in `npm test -- pkg/base --name clock`';
    } else if (arg.startsWith('-')) {
      return `unknown option ${arg}: use \`npm test -- [path ...] [--name pattern]\``;
    } else {
      paths.push(arg.replace(/^\.\//, '').replace(/\/+$/, ''));
    }
  }
  return { paths, namePattern };
}

/** Whether `file` (relative) is asked for: a path names a file, a folder, or the beginning of a file's name. */
export function isWanted(file: string, request: TestRequest): boolean {
  return request.paths.length === 0 || request.paths.some((path) => file.startsWith(path));
}

/** The absolute test files of one kind that the request wants, in a fixed order. */
export function testFiles(suite: SuiteName, request: TestRequest): string[] {
  return globSync([...SUITES[suite].patterns], { cwd: ROOT, exclude: ['**/node_modules'] })
    .filter((file) => isWanted(file, request))
    .sort()
    .map((file) => join(ROOT, file));
}
