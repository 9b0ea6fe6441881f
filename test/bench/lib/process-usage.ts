import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { run } from '../../../packaging/dev/lib/command.ts';

/** What a process holds in memory, bytes. */
export interface Memory {
  readonly rss: number;
  /** Of that: what no file stands behind. */
  readonly anonymous: number;
  /** The most it ever was. */
  readonly peak: number;
}

/** Clock ticks of /proc/<pid>/stat are hundredths of a second on every architecture. */
const TICK_MS = 10;
/** What `timeout` of coreutils ends with when it had to end the program. */
const ENDED_BY_TIMEOUT = 124;

/** `proc`: where the processes are to be seen that `pid` is one of. */
export function memoryOf(pid: number, proc = '/proc'): Memory {
  const status = readFileSync(`${proc}/${pid}/status`, 'utf8');
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) * 1024;
  return { rss: bytes('VmRSS'), anonymous: bytes('RssAnon'), peak: bytes('VmHWM') };
}

/** Makes `peak` begin anew, at what the process holds now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Processor time used so far by all threads, ms. */
export function processorTimeOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** The same of this process and of the programs that it ran and that have ended. */
export function processorTimeWithChildren(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
}

/** Bytes the process has had written to disks so far. */
export function bytesWrittenBy(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? Number.NaN);
}

/** How often the process calls fsync or fdatasync within `seconds`; needs strace. */
export async function countSyncs(pid: number, seconds: number): Promise<number> {
  const tracer = ['strace', '-f', '-qq', '-e', 'trace=fsync,fdatasync', '-e', 'signal=none', '-p', String(pid)];
  const { code, output } = await run('timeout', ['--signal=INT', String(seconds), ...tracer]);
  assert.equal(code, ENDED_BY_TIMEOUT, output);
  return output.split('\n').filter((line) => /\bf(data)?sync\(\d+/.test(line)).length;
}
