import type { RunProgram } from './nft.ts';

/** A set of addresses and ports in the kernel (ipset), for rules of iptables to look things up in. */
export interface IpSet {
  /** As ipset writes it: `hash:ip,port`. */
  readonly type: string;
  readonly family: 4 | 6;
  /** In the kernel's own notation: `10.43.0.1,tcp:443`. */
  readonly entries: ReadonlySet<string>;
}

export type IpSets = ReadonlyMap<string, IpSet>;

/** More than any node has; the kernel's own default is 65,536. */
const MOST_ENTRIES = 1_048_576;

/** The sets whose names begin with `prefix` in the output of `ipset save`. */
export function parseIpSets(text: string, prefix: string): Map<string, Set<string>> {
  const sets = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    const [command, name = '', rest = ''] = line.split(' ');
    if (!name.startsWith(prefix)) continue;
    if (command === 'create') sets.set(name, new Set());
    else if (command === 'add') sets.get(name)?.add(rest);
  }
  return sets;
}

/** The commands for `ipset restore` that lead from what the kernel has to `wanted`; empty when nothing differs. */
export function renderIpSets(present: ReadonlyMap<string, ReadonlySet<string>>, wanted: IpSets): string {
  const lines: string[] = [];
  for (const [name, { type, family, entries }] of wanted) {
    const old = present.get(name);
    if (old === entries) continue;
    if (old === undefined) {
      lines.push(`create ${name} ${type} family ${family === 4 ? 'inet' : 'inet6'} maxelem ${MOST_ENTRIES}`);
    }
    for (const entry of entries) if (!old?.has(entry)) lines.push(`add ${name} ${entry}`);
    for (const entry of old ?? []) if (!entries.has(entry)) lines.push(`del ${name} ${entry}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/**
 * Keeps the sets whose names begin with a prefix as they were last given. What the kernel has is read first, after
 * `forget`, and after a failure.
 */
export class IpSetKeeper {
  readonly #run: RunProgram;
  readonly #prefix: string;
  #present: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  constructor(prefix: string, run: RunProgram) {
    this.#prefix = prefix;
    this.#run = run;
  }

  /** What the kernel has. */
  async read(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    this.#present ??= parseIpSets(await this.#run(['ipset', 'save']), this.#prefix);
    return this.#present;
  }

  /** Resolves to the size of what was sent to the kernel, 0 when there was nothing to do. Calls must not overlap. */
  async apply(wanted: IpSets): Promise<number> {
    const script = renderIpSets(await this.read(), wanted);
    if (script !== '') {
      this.#present = undefined;
      await this.#run(['ipset', '-exist', 'restore'], { input: script });
    }
    this.#present = new Map([...wanted].map(([name, { entries }]) => [name, entries]));
    return script.length;
  }

  forget(): void {
    this.#present = undefined;
  }

  /** Removes the sets; rules that refer to them have to be gone. */
  async remove(): Promise<void> {
    this.forget();
    const names = [...(await this.read()).keys()];
    this.forget();
    if (names.length === 0) return;
    await this.#run(['ipset', 'restore'], { input: names.map((name) => `destroy ${name}\n`).join('') });
  }
}
