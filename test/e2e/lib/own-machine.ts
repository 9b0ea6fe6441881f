import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, type CommandResult, mustRun, run } from '../../../packaging/dev/lib/command.ts';
import { ENDS_WITH_US } from '../../../packaging/dev/lib/private-host/private-host.ts';

const INIT = join(import.meta.dirname, 'own-files.sh');
/** Below these the package manager keeps its books. */
const BOOKS = /^\/(var\/(lib\/(apt|dpkg|systemd)|cache|log)|run|tmp|etc\/apt|root|\.layer|\.old)(\/|$)/;

/**
 * A machine with its own files: those of this one to begin with. Packages can be installed and removed on it without
 * anything happening here.
 */
export class OwnMachine {
  readonly #init: ChildProcess;
  readonly #pid: number;

  private constructor(init: ChildProcess, pid: number) {
    this.#init = init;
    this.#pid = pid;
  }

  static async start(): Promise<OwnMachine> {
    const [program = '', ...args] = [
      ...ENDS_WITH_US,
      ...['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--propagation', 'private', INIT],
    ];
    const init = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      init.once('error', reject);
      init.once('exit', (code) => reject(new Error(`the machine has ended (${code})`)));
      init.stdout?.once('data', () => resolve());
    });
    const child = readFileSync(`/proc/${init.pid}/task/${init.pid}/children`, 'utf8').trim();
    assert.match(child, /^\d+$/);
    return new OwnMachine(init, Number(child));
  }

  /** Runs a program there; resolves whatever its exit code is. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return run('nsenter', [...this.#entry(), ...argv], options);
  }

  /** Runs a program there, which has to succeed; resolves to its stdout. */
  mustRun(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return mustRun('nsenter', [...this.#entry(), ...argv], options);
  }

  /** Starts a program there that goes on until the machine ends. */
  spawn(argv: readonly string[]): ChildProcess {
    return spawn('nsenter', [...this.#entry(), ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Where a file of the machine is to be found from outside. */
  path(path: string): string {
    return join('/proc', String(this.#pid), 'root', path);
  }

  /** The files that were added or changed, without the package manager's own. */
  async changedFiles(): Promise<string[]> {
    const text = await this.mustRun([
      'find',
      '/.layer/upper',
      '-not',
      '-type',
      'd',
      '-not',
      '-type',
      'c',
      '-printf',
      '/%P\\n',
    ]);
    const folders = await this.mustRun(['find', '/.layer/upper', '-type', 'd', '-empty', '-printf', '/%P\\n']);
    // A folder that only had something in it for a while is empty in the layer.
    const added = folders.split('\n').filter((path) => !existsSync(path));
    return [...text.split('\n'), ...added].filter((path) => path !== '' && !BOOKS.test(path)).sort();
  }

  async end(): Promise<void> {
    this.#init.removeAllListeners('exit');
    const ended = new Promise((resolve) => this.#init.once('exit', resolve));
    this.#init.stdin?.end();
    this.#init.kill('SIGKILL');
    await ended;
  }

  #entry(): string[] {
    return ['--target', String(this.#pid), '--mount', '--net', '--pid', '--'];
  }
}
