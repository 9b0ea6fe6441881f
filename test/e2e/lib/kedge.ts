import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, kubectl, waitUntilReady } from '../../../packaging/dev/lib/cluster.ts';
import type { CommandResult } from '../../../packaging/dev/lib/command.ts';
import { placeBusyboxImage } from '../../../packaging/dev/lib/hello-image.ts';
import { ensureKubectl, type Kubectl, systemKubectl } from '../../../packaging/dev/lib/kubectl.ts';
import { BUILD_DIR, ROOT } from '../../../packaging/dev/lib/project.ts';
import { removeNode } from '../../../pkg/agent/remove-node.ts';
import { silentLogger } from '../../../pkg/base/log.ts';

/** The executable under test: what `npm run build` makes. */
export const EXECUTABLE = join(ROOT, 'dist', 'kedge');

const STOP_TIMEOUT = 30_000;
const READY_TIMEOUT = 90_000;

export interface StartOptions {
  /** Added to those that keep the test to its own folder. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether to wait until the node is Ready; true unless given. */
  readonly wait?: boolean;
}

export interface KubectlOptions {
  /** Debian sid's, of kedge's own release, or the one installed on the system; sid's unless given. */
  readonly version?: 'sid' | 'system';
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Gives a spawned kubectl a terminal; what it says comes with CR LF then. */
  readonly terminal?: boolean;
}

/**
 * One kedge server run as a user would run it, in a folder of its own. There is one per machine at a time: start it in
 * a `before` hook and call `cleanUp` in an `after` hook, which runs also when a test has failed.
 */
export class Kedge {
  readonly folder: string;
  readonly dataDir: string;
  readonly kubeconfig: string;
  readonly #logFile: string;
  readonly #kubectls: { readonly sid: Kubectl; readonly system: Kubectl | undefined };
  #options: StartOptions;
  #process: ChildProcess | undefined;

  private constructor(options: StartOptions, sid: Kubectl, system: Kubectl | undefined) {
    this.folder = mkdtempSync(join(tmpdir(), 'kedge-e2e-'));
    this.dataDir = join(this.folder, 'data');
    this.kubeconfig = join(this.folder, 'kedge.yaml');
    this.#logFile = join(this.folder, 'kedge.log');
    this.#kubectls = { sid, system };
    this.#options = options;
    writeFileSync(join(this.folder, 'config.yaml'), '');
  }

  /** Starts a server with an empty data directory and the busybox image at hand. */
  static async start(options: StartOptions = {}): Promise<Kedge> {
    const kedge = new Kedge(options, await ensureKubectl(), await systemKubectl());
    try {
      placeBusyboxImage(kedge.dataDir);
      await kedge.restart();
    } catch (error) {
      await kedge.cleanUp();
      throw error;
    }
    return kedge;
  }

  get pid(): number {
    assert.ok(this.#process?.pid !== undefined, 'kedge runs');
    return this.#process.pid;
  }

  /** Everything kedge has logged, over all its starts. */
  get log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Whether the system brings a kubectl of its own that kedge supports. */
  get hasSystemKubectl(): boolean {
    return this.#kubectls.system !== undefined;
  }

  /** Starts the server over the same data; it must have ended before. `options` replace those of the last start. */
  async restart(options: StartOptions = this.#options): Promise<void> {
    assert.equal(this.#process, undefined, 'kedge has ended');
    this.#options = options;
    const log = openSync(this.#logFile, 'a');
    const flags = [
      ['--config', join(this.folder, 'config.yaml')],
      ['--data-dir', this.dataDir],
      ['--write-kubeconfig', this.kubeconfig],
    ].flat();
    const child = spawn(EXECUTABLE, ['server', ...flags, ...(options.flags ?? [])], {
      cwd: '/',
      env: { ...process.env, ...options.env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.#process = child;
    if (options.wait === false) return;
    await waitUntilReady(this.#cluster('sid'), { timeoutMs: READY_TIMEOUT, checkAlive: () => this.#checkAlive() });
  }

  #checkAlive(): void {
    const child = this.#process;
    if (child?.exitCode === null && child.signalCode === null) return;
    assert.fail(
      `kedge has ended (${child?.exitCode ?? child?.signalCode}):\n${this.log.split('\n').slice(-20).join('\n')}`,
    );
  }

  /** Sends `signal` and waits until the process has ended. Pods go on. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const limit = Date.now() + STOP_TIMEOUT;
    child.kill(signal);
    while (child.exitCode === null && child.signalCode === null) {
      if (Date.now() > limit) {
        child.kill('SIGKILL');
        assert.fail(`kedge did not end within ${STOP_TIMEOUT / 1000} s of ${signal}`);
      }
      await delay(20);
    }
    this.#process = undefined;
  }

  #cluster(version: 'sid' | 'system'): Cluster {
    const found = this.#kubectls[version];
    assert.ok(found !== undefined, 'there is a kubectl on the system');
    return { program: found.program, kubeconfig: this.kubeconfig };
  }

  get kubectlProgram(): string {
    return this.#cluster('sid').program;
  }

  /** Runs kubectl; resolves whatever its exit code is. */
  tryKubectl(args: readonly string[], options: KubectlOptions = {}): Promise<CommandResult> {
    return kubectl(this.#cluster(options.version ?? 'sid'), args, options);
  }

  /** Runs kubectl, which has to succeed. Resolves to its stdout without the last line break. */
  async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    const result = await this.tryKubectl(args, options);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.output}`);
    return result.stdout.trimEnd();
  }

  /** Starts a kubectl that goes on (port-forward, watch, exec with input); the test ends it. */
  spawnKubectl(args: readonly string[], options: KubectlOptions = {}): ChildProcess {
    const { program, kubeconfig } = this.#cluster(options.version ?? 'sid');
    const [command = '', ...rest] = options.terminal === true ? inTerminal([program, ...args]) : [program, ...args];
    return spawn(command, rest, { env: { ...process.env, ...options.env, KUBECONFIG: kubeconfig }, stdio: 'pipe' });
  }

  /** `kubectl apply` of the given YAML. */
  apply(yaml: string): Promise<string> {
    return this.kubectl(['apply', '-f', '-'], { input: yaml });
  }

  /** Ends kedge, removes its Pods and whatever else it put on the machine, and its folder; the log is kept in build/. */
  async cleanUp(): Promise<void> {
    try {
      await this.stop();
    } finally {
      this.#process = undefined;
      await removeNode(this.dataDir, silentLogger);
      const logs = join(BUILD_DIR, 'e2e-logs');
      mkdirSync(logs, { recursive: true });
      renameLog(this.#logFile, join(logs, `${basename(process.argv[1] ?? 'test')}.log`));
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

/** script(1) makes a terminal; it takes the command as text for a shell only. */
function inTerminal(argv: readonly string[]): string[] {
  const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return ['script', '--quiet', '--return', '--command', quoted, '/dev/null'];
}

function renameLog(from: string, to: string): void {
  writeFileSync(`${to}.new`, readFileSync(from));
  renameSync(`${to}.new`, to);
}
