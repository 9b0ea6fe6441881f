import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from '../project.ts';
import { STARTED_VARIABLE, started } from '../report.ts';
import { type Counts, LONGEST_OUTPUT, type SuiteOptions } from '../test-runner.ts';
import { canMakeCgroups, makeCgroups, removeCgroups } from './cgroups.ts';
import { privateHost } from './private-host.ts';

const LONELY = join(import.meta.dirname, 'lonely.sh');
const RUN_TEST_FILE = join(import.meta.dirname, '..', '..', 'test-file.ts');
/** Files run at the same time, each on a private host. */
const LANES = 2;
const END_TIMEOUT = 10_000;

/**
 * Folders that a private host mounts its own over. A mount needs a folder below it: those that this machine lacks are
 * made for the time of the tests.
 */
const FOLDERS = ['/etc/kedge', '/var/lib/kedge', '/var/lib/cni', '/var/log/pods', '/var/log/containers'];

/** Whether tests can run on private hosts here; they are made for machines with cgroup v1. */
export const hasPrivateHosts = canMakeCgroups;

/**
 * Runs test files, each on a private host: what runs on the machine, a kedge for example, does not disturb them, nor
 * they it. What a file says is shown when it has ended.
 */
export async function runOnPrivateHosts(options: SuiteOptions): Promise<Counts> {
  const made = FOLDERS.filter((folder) => mkdirSync(folder, { recursive: true }) !== undefined);
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const files = [...options.files];
  const signal = AbortSignal.timeout(options.suiteTimeout);
  const lane = async (): Promise<void> => {
    for (let file = files.shift(); file !== undefined; file = files.shift()) {
      const { passed, failed, skipped } = await runFile(file, options, signal);
      counts.passed += passed;
      counts.failed += failed;
      counts.skipped += skipped;
    }
  };
  try {
    await Promise.all(Array.from({ length: LANES }, lane));
  } finally {
    for (const folder of made) if (readdirSync(folder).length === 0) rmdirSync(folder);
  }
  return counts;
}

let hostCount = 0;

async function runFile(file: string, options: SuiteOptions, signal: AbortSignal): Promise<Counts> {
  const name = `kedge-test-${process.pid}-${hostCount++}`;
  makeCgroups(name);
  try {
    const test = [process.execPath, RUN_TEST_FILE, file, String(options.testTimeout), options.namePattern ?? ''];
    const { output, counts, end } = await collect(privateHost(name, 'kedge-test', [LONELY, ...test]), signal);
    process.stdout.write(output);
    if (counts !== undefined) return counts;
    process.stdout.write(`\nFAILED: ${relative(ROOT, file)}: ${end}\n\n`);
  } finally {
    await remove(name);
  }
  return { passed: 0, failed: 1, skipped: 0 };
}

interface Collected {
  readonly output: string;
  /** Undefined when the file did not come to its end. */
  readonly counts: Counts | undefined;
  readonly end: string;
}

/** Runs a program whose counts come as JSON through descriptor 3. */
function collect(argv: readonly string[], signal: AbortSignal): Promise<Collected> {
  const [program = '', ...args] = argv;
  return new Promise((resolve) => {
    let output = '';
    let json = '';
    const env = { ...process.env, [STARTED_VARIABLE]: String(started) };
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'], signal });
    const keep = (text: string): void => {
      if (output.length < LONGEST_OUTPUT) output += text;
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    child.stdio[3]?.on('data', (chunk: Buffer) => {
      json += chunk.toString();
    });
    child.on('error', (error) => resolve({ output, counts: undefined, end: error.message }));
    child.on('close', (code, killedBy) => {
      const counts = json === '' ? undefined : (JSON.parse(json) as Counts);
      resolve({ output, counts, end: `ended with ${killedBy ?? `code ${code}`}` });
    });
  });
}

/** The kernel takes a moment to end everything on a host. */
async function remove(cgroup: string): Promise<void> {
  const limit = Date.now() + END_TIMEOUT;
  while (!removeCgroups(cgroup)) {
    if (Date.now() > limit) throw new Error(`the cgroup ${cgroup} still has processes`);
    await delay(20);
  }
}
