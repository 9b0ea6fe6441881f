import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { until } from './until.ts';

/** A program that is spoken to while it runs. */
export class Conversation {
  readonly #child: ChildProcess;
  #stdout = '';
  #output = '';
  #ended = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    child.on('close', () => {
      this.#ended = true;
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  /** stdout and stderr as they came. */
  get output(): string {
    return this.#output;
  }

  /** Waits until the output so far matches. */
  async hears(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    try {
      return await until(`it says ${pattern}`, () => pattern.exec(this.#output) ?? undefined, {
        timeoutMs,
        intervalMs: 30,
      });
    } catch (error) {
      assert.fail(`${error instanceof Error ? error.message : String(error)}; it said: ${this.#output}`);
    }
  }

  says(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Closes the program's stdin. */
  saysNoMore(): void {
    this.#child.stdin?.end();
  }

  /** Waits for the end by itself; resolves to the exit code. */
  async ends(timeoutMs = 20_000): Promise<number | null> {
    try {
      await until('it ends', () => this.#ended, { timeoutMs, intervalMs: 30 });
    } catch {
      this.#child.kill('SIGKILL');
      assert.fail(`did not end within ${timeoutMs / 1000} s; it said: ${this.#output}`);
    }
    return this.#child.exitCode;
  }

  /** Ends the program. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    this.#child.kill('SIGTERM');
    await this.ends();
  }
}
