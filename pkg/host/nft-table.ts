/** An nftables table as data, its text for `nft -f`, and the smallest transaction from one state of it to another. */

export interface NftSet {
  readonly kind: 'set' | 'map';
  /** The type expression: `ipv4_addr . inet_proto . inet_service : verdict`. */
  readonly type: string;
  readonly flags?: readonly ('dynamic' | 'timeout' | 'interval')[];
  /** Seconds an element lives; for sets that the packet path fills. */
  readonly timeoutSeconds?: number;
  /** Key to data; the data of a set's elements is ''. Elements that packets add are not listed here. */
  readonly elements: ReadonlyMap<string, string>;
}

export interface NftChain {
  /** A base chain's `type … hook … priority …; policy …;` line; other chains have none. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

export interface NftTable {
  readonly family: 'ip' | 'ip6' | 'inet';
  readonly name: string;
  readonly sets: ReadonlyMap<string, NftSet>;
  readonly chains: ReadonlyMap<string, NftChain>;
}

function declaration(set: NftSet): string {
  const flags = set.flags === undefined ? '' : ` flags ${set.flags.join(',')};`;
  const timeout = set.timeoutSeconds === undefined ? '' : ` timeout ${set.timeoutSeconds}s;`;
  return `type ${set.type};${flags}${timeout}`;
}

function element(key: string, data: string): string {
  return data === '' ? key : `${key} : ${data}`;
}

function addElements(table: string, name: string, elements: readonly string[]): string[] {
  return elements.length === 0 ? [] : [`add element ${table} ${name} { ${elements.join(', ')} }`];
}

/** The commands that remove the table; they succeed when there is none. */
export function renderRemoval(family: NftTable['family'], name: string): string {
  return `add table ${family} ${name}\ndelete table ${family} ${name}\n`;
}

/** One transaction that puts the table in place of whatever table of its name there is. */
export function renderTable(table: NftTable): string {
  const empty: NftTable = { ...table, sets: new Map(), chains: new Map() };
  const id = `${table.family} ${table.name}`;
  return `${renderRemoval(table.family, table.name)}add table ${id}\n${renderDiff(empty, table)}`;
}

/** One transaction from `old`, as it is in the kernel, to `next`; empty when they are equal. */
export function renderDiff(old: NftTable, next: NftTable): string {
  const id = `${next.family} ${next.name}`;
  // References decide the order: what is referred to is added before, and removed after, what refers to it.
  const declare: string[] = [];
  const flush: string[] = [];
  const rules: string[] = [];
  const removeElements: string[] = [];
  const putElements: string[] = [];
  const drop: string[] = [];
  for (const [name, set] of next.sets) {
    const before = old.sets.get(name);
    if (before === set) continue;
    const replaced = before === undefined || before.kind !== set.kind || declaration(before) !== declaration(set);
    if (replaced && before !== undefined) {
      throw new Error(`nft ${set.kind} ${name} cannot change its type: give it another name`);
    }
    if (replaced) declare.push(`add ${set.kind} ${id} ${name} { ${declaration(set)} }`);
    const added: string[] = [];
    const removed: string[] = [];
    for (const [key, data] of set.elements) {
      const had = before?.elements.get(key);
      if (had === data) continue;
      if (had !== undefined) removed.push(key);
      added.push(element(key, data));
    }
    for (const key of before?.elements.keys() ?? []) if (!set.elements.has(key)) removed.push(key);
    if (removed.length > 0) removeElements.push(`delete element ${id} ${name} { ${removed.join(', ')} }`);
    putElements.push(...addElements(id, name, added));
  }
  for (const [name, chain] of next.chains) {
    const before = old.chains.get(name);
    if (before !== undefined && sameRules(before.rules, chain.rules)) continue;
    if (before === undefined) {
      declare.push(chain.hook === undefined ? `add chain ${id} ${name}` : `add chain ${id} ${name} { ${chain.hook} }`);
    } else {
      flush.push(`flush chain ${id} ${name}`);
    }
    for (const rule of chain.rules) rules.push(`add rule ${id} ${name} ${rule}`);
  }
  const gone = [...old.chains.keys()].filter((name) => !next.chains.has(name));
  for (const name of gone) flush.push(`flush chain ${id} ${name}`);
  for (const name of gone) drop.push(`delete chain ${id} ${name}`);
  for (const [name, set] of old.sets) if (!next.sets.has(name)) drop.push(`delete ${set.kind} ${id} ${name}`);
  const lines = [...declare, ...removeElements, ...flush, ...rules, ...putElements, ...drop];
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function sameRules(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((rule, index) => rule === b[index]));
}
