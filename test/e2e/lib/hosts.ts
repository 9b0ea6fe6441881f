import assert from 'node:assert/strict';
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommandOptions, type CommandResult, mustRun, run } from '../../../packaging/dev/lib/command.ts';
import { placeBusyboxImage } from '../../../packaging/dev/lib/hello-image.ts';
import { makeCgroups, removeCgroups } from '../../../packaging/dev/lib/private-host/cgroups.ts';
import { ENDS_WITH_US, onPrivateHost, privateHost } from '../../../packaging/dev/lib/private-host/private-host.ts';
import { BUILD_DIR } from '../../../packaging/dev/lib/project.ts';
import { EXECUTABLE } from './kedge.ts';
import { until } from './until.ts';

const BRIDGE = 'lan0';
const STOP_TIMEOUT = 30_000;

/**
 * A network of private hosts: machines of their own as far as kedge can tell (network, mounts, processes, host name and
 * cgroups), joined by a bridge in a namespace of its own. Nothing of it is to be seen on the machine outside, save for
 * the cgroups. `close` ends all hosts with everything on them and removes what they left.
 */
export class Lan {
  /** The first three bytes of every address. */
  readonly prefix: string;
  /** Logs of kedge on the hosts; removed by `close`. */
  readonly folder: string;
  readonly #holder: ChildProcess;
  readonly #hosts: Host[] = [];

  private constructor(holder: ChildProcess, prefix: string) {
    this.#holder = holder;
    this.prefix = prefix;
    this.folder = mkdtempSync(join(tmpdir(), 'kedge-lan-'));
  }

  static async create(prefix = '192.168.77'): Promise<Lan> {
    // `cat` ends when its input is closed.
    const hold = ['unshare', '--net', 'sh', '-c', 'echo ready; exec cat >/dev/null'];
    const holder = start([...ENDS_WITH_US, ...hold], ['pipe', 'pipe', 'inherit']);
    const lan = new Lan(holder, prefix);
    await heard(holder);
    await lan.#ip('link', 'add', BRIDGE, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
    await lan.#ip('link', 'set', BRIDGE, 'up');
    return lan;
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  /** Adds a host called `name`; its address is the next one from `.11`, or ends in `last`. */
  async addHost(name: string, last = 11 + this.#hosts.length): Promise<Host> {
    const host = await Host.start(this, name, `${this.prefix}.${last}`);
    this.#hosts.push(host);
    const port = `p${last}`;
    await this.#ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(host.pid));
    await this.#ip('link', 'set', port, 'master', BRIDGE, 'up');
    host.port = { cut: () => this.#ip('link', 'set', port, 'down'), mend: () => this.#ip('link', 'set', port, 'up') };
    await host.mustRun(['ip', 'address', 'add', `${host.address}/24`, 'dev', 'eth0']);
    await host.mustRun(['ip', 'link', 'set', 'eth0', 'up']);
    await host.mustRun(['ip', 'route', 'add', 'default', 'via', `${this.prefix}.1`]);
    return host;
  }

  /** Ends all hosts; logs of kedge are kept in build/. */
  async close(): Promise<void> {
    const kept = join(BUILD_DIR, 'e2e-logs', basename(process.argv[1] ?? 'test'));
    mkdirSync(kept, { recursive: true });
    for (const host of this.#hosts) {
      writeFileSync(join(kept, `${host.name}.log`), host.log);
      await host.end();
    }
    this.#holder.stdin?.end();
    this.#holder.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #ip(...args: readonly string[]): Promise<void> {
    await mustRun('nsenter', ['--target', String(this.#holder.pid), '--net', 'ip', ...args]);
  }
}

export interface StartKedgeOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** One machine of a Lan. */
export class Host {
  readonly lan: Lan;
  readonly name: string;
  readonly address: string;
  /** The host's first process, as seen from outside. */
  readonly pid: number;
  readonly #init: ChildProcess;
  readonly #cgroup: string;
  readonly #logFile: string;
  #kedge: HostProcess | undefined;
  port: { cut(): Promise<void>; mend(): Promise<void> } | undefined;

  private constructor(lan: Lan, name: string, address: string, init: ChildProcess, pid: number, cgroup: string) {
    this.lan = lan;
    this.name = name;
    this.address = address;
    this.pid = pid;
    this.#init = init;
    this.#cgroup = cgroup;
    this.#logFile = join(lan.folder, `${name}.log`);
    writeFileSync(this.#logFile, '');
  }

  static async start(lan: Lan, name: string, address: string): Promise<Host> {
    const cgroup = `${basename(lan.folder)}-${name}`;
    makeCgroups(cgroup);
    const init = start(privateHost(cgroup, name), ['pipe', 'pipe', 'inherit']);
    await heard(init);
    return new Host(lan, name, address, init, onlyChild(init.pid), cgroup);
  }

  /** Everything kedge has logged on this host, over all its starts. */
  get log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Whether kedge was started here and has not been told to end. */
  get hasKedge(): boolean {
    return this.#kedge?.isWanted === true;
  }

  get kedge(): HostProcess {
    assert.ok(this.#kedge !== undefined, `kedge runs on ${this.name}`);
    return this.#kedge;
  }

  /** Runs a program on the host; resolves whatever its exit code is. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const [program = '', ...args] = this.#command(argv);
    return run(program, args, options);
  }

  /** Runs a program on the host, which has to succeed; resolves to its stdout. */
  mustRun(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    const [program = '', ...args] = this.#command(argv);
    return mustRun(program, args, options);
  }

  /** Starts a program on the host that goes on; the test, or the host's end, ends it. */
  spawn(argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    // What enters the host does not pass signals on: its end does.
    return start(this.#command(['setpriv', '--pdeathsig', 'TERM', '--', ...argv]), 'pipe', env);
  }

  /** Puts the busybox image where kedge of the default data directory imports images from. */
  placeImages(): void {
    placeBusyboxImage(this.path('/var/lib/kedge'));
  }

  /** Where a file of the host is to be found from outside. */
  path(path: string): string {
    return join('/proc', String(this.pid), 'root', path);
  }

  /** Starts `kedge <args>` as a user would, with the default data directory; it must have ended before. */
  startKedge(args: readonly string[], { env = {} }: StartKedgeOptions = {}): HostProcess {
    assert.ok(this.#kedge === undefined || this.#kedge.hasEnded, `kedge has ended on ${this.name}`);
    this.placeImages();
    const log = openSync(this.#logFile, 'a');
    const child = start(this.#command([EXECUTABLE, ...args]), ['ignore', log, log], env);
    closeSync(log);
    this.#kedge = new HostProcess(child, () => `${this.name}: ${this.log.split('\n').slice(-15).join('\n')}`);
    return this.#kedge;
  }

  /** Nothing comes in or goes out any more, as with an unplugged cable. */
  async cutOff(): Promise<void> {
    await this.port?.cut();
  }

  async bringBack(): Promise<void> {
    await this.port?.mend();
  }

  /** Ends the host as if its power were cut, and removes its cgroups. */
  async end(): Promise<void> {
    this.#init.stdin?.end();
    this.#init.kill('SIGKILL');
    await until(`the cgroups of ${this.name} are empty`, () => removeCgroups(this.#cgroup), { intervalMs: 50 });
  }

  #command(argv: readonly string[]): string[] {
    return onPrivateHost(this.pid, this.#cgroup, argv);
  }
}

/** A program on a host; what it is started through waits for it outside. */
export class HostProcess {
  readonly #child: ChildProcess;
  readonly #tell: () => string;
  #isWanted = true;

  constructor(child: ChildProcess, tell: () => string) {
    this.#child = child;
    this.#tell = tell;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Whether nobody has asked it to end. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** The program's own pid, as seen from outside. */
  get pid(): number {
    return onlyChild(this.#child.pid);
  }

  /** Fails when the program has ended. */
  checkAlive(): void {
    if (this.hasEnded) assert.fail(`kedge has ended (${this.exitCode ?? this.#child.signalCode}) on ${this.#tell()}`);
  }

  /** Sends `signal` and waits for the end. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#isWanted = false;
    if (this.hasEnded) return;
    process.kill(this.pid, signal);
    await this.ends();
  }

  /** Waits for the end; resolves to the exit code. */
  async ends(timeoutMs = STOP_TIMEOUT): Promise<number | null> {
    const limit = Date.now() + timeoutMs;
    while (!this.hasEnded) {
      if (Date.now() > limit) assert.fail(`kedge did not end within ${timeoutMs / 1000} s on ${this.#tell()}`);
      await delay(20);
    }
    return this.exitCode;
  }
}

function start(argv: readonly string[], stdio: StdioOptions, env: Readonly<Record<string, string>> = {}): ChildProcess {
  const [program = '', ...args] = argv;
  return spawn(program, args, { cwd: '/', env: { ...process.env, ...env }, stdio });
}

function heard(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${child.spawnargs.join(' ')} has ended (${code})`)));
    child.stdout?.once('data', () => resolve());
  });
}

/** The child of a process that waits for a single one: nsenter or unshare. */
function onlyChild(pid: number | undefined): number {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
  assert.ok(child > 0, `process ${pid} has a child`);
  return child;
}
