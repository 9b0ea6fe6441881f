import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HostCluster } from '../e2e/lib/host-cluster.ts';
import type { Host } from '../e2e/lib/hosts.ts';

const WRITER = fileURLToPath(new URL('writer-child.ts', import.meta.url));
const ASKER = fileURLToPath(new URL('asker-child.ts', import.meta.url));

/** What the names of its objects begin with. */
const PREFIX = 'w';

/** Calls `heard` with the words of each line that `child` says. */
function listen(child: ChildProcess, heard: (words: readonly string[]) => void): void {
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) heard(line.split(' '));
  });
  child.stderr?.pipe(process.stderr);
}

/** The longest time between two of `times`, or from `since` to the first, ms. */
function longestPause(times: readonly number[], since: number): number {
  const later = times.filter((time) => time >= since);
  return Math.max(0, ...later.map((time, index) => time - (later[index - 1] ?? since)));
}

/** A writer over any of several servers, and what was acknowledged to it. */
export class Writer {
  /** Acknowledged creates, updates and deletes. */
  count = 0;
  /** Reads after an acknowledged write that did not show it. */
  readonly stale: string[] = [];
  readonly #present = new Set<string>();
  readonly #deleted = new Set<string>();
  readonly #unsure = new Set<string>();
  readonly #times: number[] = [];
  readonly #child: ChildProcess;
  #counter = -1;

  constructor(host: Host, kubeconfig: string, servers: readonly Host[]) {
    const urls = servers.map(({ address }) => `https://${address}:6443`);
    this.#child = host.spawn([process.execPath, WRITER, kubeconfig, PREFIX, ...urls]);
    listen(this.#child, ([what = '', ...words]) => this.#note(what, words));
  }

  /** Whether it has written after `since`. */
  hasWritten(since: number): boolean {
    return (this.#times.at(-1) ?? 0) > since;
  }

  longestPause(since: number): number {
    return longestPause(this.#times, since);
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }

  /** What of the acknowledged writes is not as it should be, as the server of `cluster` has it. */
  async missing(cluster: HostCluster): Promise<string[]> {
    const path = '{range .items[*]}{.metadata.name} {.data.n}{"\\n"}{end}';
    const text = await cluster.kubectl(['get', 'configmaps', '-o', `jsonpath=${path}`]);
    const found = new Map(text.split('\n').map((line) => line.split(' ') as [string, string]));
    const counter = Number(found.get(`${PREFIX}-counter`));
    return [
      ...[...this.#present].filter((name) => !found.has(name)).map((name) => `${name} is not there`),
      ...[...this.#deleted].filter((name) => found.has(name)).map((name) => `${name} is there again`),
      ...(counter >= this.#counter ? [] : [`the counter is ${counter}, not ${this.#counter}`]),
    ];
  }

  #note(what: string, words: readonly string[]): void {
    const [word = ''] = words;
    switch (what) {
      case 'unsure':
        this.#unsure.add(word);
        this.#present.add(word);
        break;
      case 'create':
        this.#present.add(word);
        break;
      case 'deleting':
        this.#present.delete(word);
        return;
      case 'delete':
        if (!this.#unsure.has(word)) this.#deleted.add(word);
        break;
      case 'count':
        this.#counter = Number(word);
        break;
      case 'stale':
        this.stale.push(words.join(' '));
        return;
      default:
        assert.fail(`the writer says ${what}`);
    }
    this.count += 1;
    this.#times.push(Number(words.at(-1)));
  }
}

/** Someone who asks a Service without a pause. */
export class Asker {
  readonly failures: { readonly at: number; readonly why: string }[] = [];
  /** Answers that took more than two seconds. */
  readonly slow: string[] = [];
  count = 0;
  readonly #child: ChildProcess;
  #lastOk = 0;

  constructor(host: Host, url: string) {
    this.#child = host.spawn([process.execPath, ASKER, url]);
    listen(this.#child, ([what, at, ...why]) => {
      this.count += 1;
      if (what === 'ok') {
        this.#lastOk = Number(at);
        if (Number(why[0]) > 2_000) this.slow.push(`${new Date(Number(at)).toISOString()} ${why.join(' ')}`);
      } else this.failures.push({ at: Number(at), why: why.join(' ') });
    });
  }

  /** How many questions since `since` went unanswered. */
  failuresSince(since: number): number {
    return this.failures.filter(({ at }) => at >= since).length;
  }

  /** Whether the last second brought answers only. */
  isServed(): boolean {
    const now = Date.now();
    return now - this.#lastOk < 1_000 && this.failuresSince(now - 1_000) === 0;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
