import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Host } from './hosts.ts';

const PROGRAM = fileURLToPath(new URL('../writer-child.ts', import.meta.url));

/** Writes that go on in the background, and which of them were acknowledged, when. */
export class AcknowledgedWrites {
  readonly names: string[] = [];
  readonly #times: number[] = [];
  readonly #child: ChildProcess;

  /** From `host`, over any of `servers`. */
  constructor(host: Host, prefix: string, servers: readonly Host[]) {
    const urls = servers.map(({ address }) => `https://${address}:6443`);
    this.#child = host.spawn([process.execPath, PROGRAM, '/etc/kedge/kedge.yaml', prefix, ...urls]);
    let rest = '';
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [name = '', time] = line.split(' ');
        this.names.push(name);
        this.#times.push(Number(time));
      }
    });
    this.#child.stderr?.pipe(process.stderr);
  }

  /** Milliseconds from `since` to the first write after it; undefined when there is none yet. */
  firstAfter(since: number): number | undefined {
    const time = this.#times.find((each) => each > since);
    return time === undefined ? undefined : time - since;
  }

  /** The longest time without an acknowledged write after `since`, ms. */
  longestGap(since: number): number {
    const times = this.#times.filter((time) => time >= since);
    return Math.max(0, ...times.map((time, index) => time - (times[index - 1] ?? since)));
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
