import { spawn } from 'node:child_process';
import { ROOT } from './project.ts';

export interface CommandResult {
  readonly code: number;
  /** stdout and stderr as they came; empty with `show`. */
  readonly output: string;
  readonly stdout: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Lets the program write to the terminal itself instead of collecting what it writes. */
  readonly show?: boolean;
  readonly input?: string;
}

/** Thrown by `mustRun`: the program ended with a code other than 0. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly result: CommandResult;

  constructor(argv: readonly string[], result: CommandResult) {
    const tail = result.output.trim().split('\n').slice(-20).join('\n');
    super(`\`${argv.join(' ')}\` ended with code ${result.code}${tail === '' ? '' : `:\n${tail}`}`);
    this.result = result;
  }
}

/** Runs a program to its end. A program that cannot be started gives code 127. */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', ...outputs(options.show)],
    });
    let output = '';
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stdin?.end(options.input);
    child.on('error', (error) => resolve({ code: 127, output: error.message, stdout: '' }));
    child.on('close', (code) => resolve({ code: code ?? 1, output, stdout }));
  });
}

function outputs(show: boolean | undefined): ['inherit', 'inherit'] | ['pipe', 'pipe'] {
  return show === true ? ['inherit', 'inherit'] : ['pipe', 'pipe'];
}

/** Like `run`, and throws CommandError when the code is not 0. Resolves to the program's stdout. */
export async function mustRun(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(program, args, options);
  if (result.code !== 0) throw new CommandError([program, ...args], result);
  return result.stdout;
}
