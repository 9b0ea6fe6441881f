import { ExecError } from './exec.ts';
import type { RunProgram } from './nft.ts';

/** Chains of our own in one table of iptables, and where the kernel's chains lead to them. */
export interface IptablesTable {
  readonly name: 'nat' | 'filter' | 'mangle' | 'raw';
  /** A chain's rules, each as words behind `-A <chain>`. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** From a chain of the kernel's to one of ours; each becomes the first rule there. */
  readonly jumps: readonly (readonly [from: string, to: string])[];
}

/** What of one table is ours: the number of rules of each chain, and jumps as `from to`. */
export interface OwnChains {
  readonly chains: ReadonlyMap<string, number>;
  readonly jumps: ReadonlySet<string>;
}

/** Reads what is ours in each table, by the prefix of chain names, from the output of `iptables-save`. */
export function parseOwnChains(text: string, prefix: string): Map<string, OwnChains> {
  const tables = new Map<string, OwnChains>();
  let chains = new Map<string, number>();
  let jumps = new Set<string>();
  for (const line of text.split('\n')) {
    const table = /^\*(\S+)$/.exec(line)?.[1];
    if (table !== undefined) {
      [chains, jumps] = [new Map(), new Set()];
      tables.set(table, { chains, jumps });
    }
    const declared = /^:(\S+) /.exec(line)?.[1];
    if (declared?.startsWith(prefix)) chains.set(declared, chains.get(declared) ?? 0);
    const [, chain = '', rule = ''] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    if (chain.startsWith(prefix)) chains.set(chain, (chains.get(chain) ?? 0) + 1);
    const target = /(?:^| )-j (\S+)$/.exec(rule)?.[1];
    if (chain !== '' && !chain.startsWith(prefix) && target?.startsWith(prefix)) jumps.add(`${chain} ${target}`);
  }
  return tables;
}

/**
 * The text for `iptables-restore --noflush` that brings `wanted` into force: `changed` chains are written anew, jumps
 * that are missing are made, chains and jumps of ours that are not wanted go. Empty when there is nothing to do.
 */
export function renderIptables(present: OwnChains, wanted: IptablesTable, changed: ReadonlySet<string>): string {
  const declare: string[] = [];
  const rules: string[] = [];
  const jumps: string[] = [];
  const drop: string[] = [];
  for (const [chain, lines] of wanted.chains) {
    if (present.chains.has(chain) && !changed.has(chain)) continue;
    // Declaring a chain that exists empties it.
    declare.push(`:${chain} - [0:0]`);
    for (const line of lines) rules.push(`-A ${chain} ${line}`);
  }
  const wantedJumps = new Set(wanted.jumps.map(([from, to]) => `${from} ${to}`));
  for (const [from, to] of wanted.jumps) {
    if (!present.jumps.has(`${from} ${to}`)) jumps.push(`-I ${from} -j ${to}`);
  }
  for (const jump of present.jumps) {
    const [from, to] = jump.split(' ');
    if (!wantedJumps.has(jump)) drop.push(`-D ${from} -j ${to}`);
  }
  const gone = [...present.chains.keys()].filter((chain) => !wanted.chains.has(chain));
  for (const chain of gone) declare.push(`:${chain} - [0:0]`);
  for (const chain of gone) drop.push(`-X ${chain}`);
  const lines = [...declare, ...rules, ...jumps, ...drop];
  return lines.length === 0 ? '' : `*${wanted.name}\n${lines.join('\n')}\nCOMMIT\n`;
}

const NOTHING: OwnChains = { chains: new Map(), jumps: new Set() };

export interface IptablesPrograms {
  readonly restore: string;
  readonly save: string;
}

/**
 * The form of iptables that works here: the system's own, or the older one beside it, for kernels without nftables.
 * Undefined when none does.
 */
export async function findIptables(family: 4 | 6, run: RunProgram): Promise<IptablesPrograms | undefined> {
  const name = family === 4 ? 'iptables' : 'ip6tables';
  for (const program of [name, `${name}-legacy`]) {
    try {
      await run([program, '-w', '5', '-t', 'nat', '-S', 'POSTROUTING']);
      return { restore: `${program}-restore`, save: `${program}-save` };
    } catch (error) {
      if (!(error instanceof ExecError)) throw error;
    }
  }
  return undefined;
}

/**
 * Keeps our chains in the tables of iptables as they were last given; other chains are left alone. Each table changes in
 * one transaction, in which only chains that differ are written. What the kernel has is read first, after `forget`, and
 * after a failure.
 */
export class IptablesKeeper {
  readonly #programs: IptablesPrograms;
  readonly #prefix: string;
  readonly #run: RunProgram;
  #applied: ReadonlyMap<string, IptablesTable> | undefined;

  constructor(programs: IptablesPrograms, prefix: string, run: RunProgram) {
    this.#programs = programs;
    this.#prefix = prefix;
    this.#run = run;
  }

  /** Resolves to the size of what was sent to the kernel, 0 when there was nothing to do. Calls must not overlap. */
  async apply(tables: readonly IptablesTable[]): Promise<number> {
    const before = this.#applied;
    this.#applied = undefined;
    const found = tables.some(({ name }) => before?.has(name) !== true) ? await this.#read() : undefined;
    let script = '';
    for (const table of tables) {
      const old = before?.get(table.name);
      const present = old === undefined ? (found?.get(table.name) ?? NOTHING) : asPresent(old);
      script += renderIptables(present, table, changedChains(old, table));
    }
    await this.#restore(script);
    this.#applied = new Map(tables.map((table) => [table.name, table]));
    return script.length;
  }

  /** Whether the kernel still has what was last applied, as far as the number of rules tells. */
  async intact(): Promise<boolean> {
    if (this.#applied === undefined) return false;
    const found = await this.#read();
    for (const table of this.#applied.values()) {
      const { chains, jumps } = found.get(table.name) ?? NOTHING;
      if (table.jumps.some(([from, to]) => !jumps.has(`${from} ${to}`))) return false;
      for (const [chain, rules] of table.chains) if (chains.get(chain) !== rules.length) return false;
    }
    return true;
  }

  forget(): void {
    this.#applied = undefined;
  }

  /** Removes our chains from `tables`, and tables that are empty then: the form on top of nftables makes them. */
  async remove(tables: readonly IptablesTable['name'][]): Promise<void> {
    this.forget();
    const found = await this.#read();
    let script = '';
    for (const name of tables) {
      script += renderIptables(found.get(name) ?? NOTHING, { name, chains: new Map(), jumps: [] }, new Set());
    }
    await this.#restore(script);
    for (const name of tables) await this.#removeEmpty(name);
  }

  async #removeEmpty(table: string): Promise<void> {
    const id = [this.#programs.save.startsWith('ip6') ? 'ip6' : 'ip', table] as const;
    try {
      if (isEmptyNftTable(await this.#run(['nft', 'list', 'table', ...id]))) {
        await this.#run(['nft', 'delete', 'table', ...id]);
      }
    } catch (error) {
      // There is no such table, or no nftables at all.
      if (!(error instanceof ExecError)) throw error;
    }
  }

  /** What is ours in every table that the kernel has. */
  async #read(): Promise<Map<string, OwnChains>> {
    return parseOwnChains(await this.#run([this.#programs.save]), this.#prefix);
  }

  async #restore(script: string): Promise<void> {
    if (script !== '') await this.#run([this.#programs.restore, '-w', '5', '--noflush'], { input: script });
  }
}

/** Whether a listing of nft's shows nothing but the kernel's chains, which let everything pass. */
function isEmptyNftTable(text: string): boolean {
  const listed = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .trim();
  return /^table \S+ \S+ \{\s*(chain \S+ \{\s*type [^\n]*policy accept;\s*\}\s*)*\}$/.test(listed);
}

function asPresent({ chains, jumps }: IptablesTable): OwnChains {
  return {
    chains: new Map([...chains].map(([name, rules]) => [name, rules.length])),
    jumps: new Set(jumps.map(([from, to]) => `${from} ${to}`)),
  };
}

/** All chains when it is not known what they were. */
function changedChains(old: IptablesTable | undefined, table: IptablesTable): Set<string> {
  const changed = [...table.chains].filter(([name, rules]) => {
    const before = old?.chains.get(name);
    return before === undefined || before.length !== rules.length || before.some((rule, i) => rule !== rules[i]);
  });
  return new Set(changed.map(([name]) => name));
}
