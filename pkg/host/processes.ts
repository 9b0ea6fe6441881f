import { readdir, readFile, readlink } from 'node:fs/promises';

/** A running process as /proc shows it. */
export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** One letter: `R`, `S`, `D`, `Z`, … */
  readonly state: string;
  /** Ticks between boot and the process's start; with the pid it names a process for good. */
  readonly startTime: number;
}

/** The fields of a `/proc/<pid>/stat` line; undefined when the text is not one. */
export function parseProcessStat(text: string): ProcessInfo | undefined {
  // The command is in parentheses and may itself hold spaces and parentheses.
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const [state, parent] = fields;
  const startTime = fields[19];
  if (close < 0 || state === undefined || parent === undefined || startTime === undefined) return undefined;
  return { pid: Number.parseInt(text, 10), parent: Number(parent), state, startTime: Number(startTime) };
}

/** What is known of `pid`; undefined when there is no such process. */
export async function readProcess(pid: number): Promise<ProcessInfo | undefined> {
  const text = await readProcFile(pid, 'stat');
  return text === undefined ? undefined : parseProcessStat(text);
}

/** The arguments `pid` was started with; empty when it has gone or is a kernel thread. */
export async function readArguments(pid: number): Promise<string[]> {
  const text = (await readProcFile(pid, 'cmdline')) ?? '';
  return text.split('\0').slice(0, -1);
}

/** The environment `pid` was started with; empty when it has gone or is none of ours. */
export async function readEnvironment(pid: number): Promise<Record<string, string>> {
  const text = (await readProcFile(pid, 'environ')) ?? '';
  const entries = text.split('\0').filter((entry) => entry.includes('='));
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

/** The paths in `/proc/<pid>/cgroup`, by controllers (`''` for cgroup v2); empty when it has gone. */
export async function readCgroups(pid: number): Promise<Map<string, string>> {
  const text = (await readProcFile(pid, 'cgroup')) ?? '';
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers !== undefined && path !== undefined) paths.set(controllers, path);
  }
  return paths;
}

/** Every process there is. */
export async function listProcesses(): Promise<ProcessInfo[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(names.map((name) => readProcess(Number(name))));
  return found.filter((info) => info !== undefined);
}

/** `roots` and everything below them in the process tree. */
export function withDescendants(processes: readonly ProcessInfo[], roots: ReadonlySet<number>): Set<number> {
  const children = Map.groupBy(processes, (info) => info.parent);
  const found = new Set<number>();
  const queue = [...roots];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    if (found.has(pid)) continue;
    found.add(pid);
    for (const child of children.get(pid) ?? []) queue.push(child.pid);
  }
  return found;
}

/** Sends `signal` to `pid`; false when there is no such process. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Whether `pid` belongs to this machine as this process sees it, rather than to a system container (LXC, a Docker
 * container) on it: another kedge may run in there, with the same paths. False when the process has gone.
 */
export async function isOfThisMachine(pid: number): Promise<boolean> {
  const [own, other] = await Promise.all(['self', pid].map(pidNamespace));
  return own !== undefined && own === other;
}

async function pidNamespace(pid: number | string): Promise<string | undefined> {
  return unlessGone(readlink(`/proc/${pid}/ns/pid`));
}

function readProcFile(pid: number, name: string): Promise<string | undefined> {
  return unlessGone(readFile(`/proc/${pid}/${name}`, 'utf8'));
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    // ESRCH: the process ended between opening and reading.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}
