import { ExecError, type ExecOptions, exec } from './exec.ts';
import { type NftTable, renderDiff, renderRemoval, renderTable } from './nft-table.ts';

/** Runs a program on the machine, or in a network namespace of it; `exec` is one. */
export type RunProgram = (argv: readonly [string, ...string[]], options?: ExecOptions) => Promise<string>;

/** Runs programs inside the network namespace `name`. */
export function inNetworkNamespace(name: string): RunProgram {
  return (argv, options) => exec(['ip', 'netns', 'exec', name, ...argv], options);
}

/**
 * Keeps one nft table as it was last given. The first `apply` replaces whatever a former process left, in one
 * transaction, so packets never meet a half-made table; later ones send only what differs. After a failure nothing is
 * taken for known and the next `apply` replaces the table again.
 */
export class NftTableKeeper {
  readonly #run: RunProgram;
  readonly #family: NftTable['family'];
  readonly #name: string;
  #applied: NftTable | undefined;

  constructor(family: NftTable['family'], name: string, run: RunProgram) {
    this.#run = run;
    this.#family = family;
    this.#name = name;
  }

  /** Resolves to the transaction's size in bytes, 0 when there was nothing to do. Calls must not overlap. */
  async apply(table: NftTable): Promise<number> {
    const old = this.#applied;
    const script = old === undefined ? renderTable(table) : renderDiff(old, table);
    if (script === '') return 0;
    this.#applied = undefined;
    await this.#run(['nft', '-f', '-'], { input: script });
    this.#applied = table;
    return script.length;
  }

  /**
   * Whether the kernel has a table of this name. Asked by an attempt to make it that changes nothing: a list of tables
   * makes nft read everything they hold, at 1,000 Services for 100 ms.
   */
  async exists(): Promise<boolean> {
    try {
      await this.#run(['nft', '--check', '-f', '-'], { input: `create table ${this.#family} ${this.#name}\n` });
      return false;
    } catch (error) {
      if (error instanceof ExecError && error.stderr.includes('File exists')) return true;
      throw error;
    }
  }

  /** Makes the next `apply` replace the table. */
  forget(): void {
    this.#applied = undefined;
  }

  /** Removes the table with all its rules and sets; nothing happens when there is none. */
  async remove(): Promise<void> {
    this.#applied = undefined;
    await this.#run(['nft', '-f', '-'], { input: renderRemoval(this.#family, this.#name) });
  }
}
