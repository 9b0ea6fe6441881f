import { addressAt, type CIDR, formatCIDR, overlap, parseCIDR, sizeOf } from '../../base/ip.ts';

/** Hands out the blocks of one size within a larger one, in order, each to one owner. */
export class CIDRAllocator {
  readonly #cluster: CIDR;
  readonly #prefix: number;
  readonly #blocks: number;
  readonly #taken = new Set<number>();
  #next = 0;

  /** Blocks of `prefix` bits in `cluster` (`10.42.0.0/16`). Throws RangeError when the prefix does not lie within it. */
  constructor(cluster: string, prefix: number) {
    const parsed = parseCIDR(cluster);
    if (parsed === undefined || prefix < parsed.prefix || prefix - parsed.prefix > 16) {
      throw new RangeError(`${cluster} cannot be divided into blocks of /${prefix}`);
    }
    this.#cluster = parsed;
    this.#prefix = prefix;
    this.#blocks = 2 ** (prefix - parsed.prefix);
  }

  /** Takes the next free block; undefined when all are taken. */
  allocate(): string | undefined {
    for (let tries = 0; tries < this.#blocks; tries++) {
      const index = (this.#next + tries) % this.#blocks;
      if (this.#taken.has(index)) continue;
      this.#taken.add(index);
      this.#next = (index + 1) % this.#blocks;
      return formatCIDR(this.#block(index));
    }
    return undefined;
  }

  /** Notes that `cidr` is in use; blocks outside the cluster's are none of ours. */
  occupy(cidr: string): void {
    for (const index of this.#indexes(cidr)) this.#taken.add(index);
  }

  release(cidr: string): void {
    for (const index of this.#indexes(cidr)) this.#taken.delete(index);
  }

  #block(index: number): CIDR {
    const block = { ...this.#cluster, prefix: this.#prefix };
    return { ...block, base: addressAt(this.#cluster, BigInt(index) * sizeOf(block)).value };
  }

  /** The blocks that `cidr` covers or lies in. */
  *#indexes(cidr: string): IterableIterator<number> {
    const parsed = parseCIDR(cidr);
    if (parsed === undefined || !overlap(parsed, this.#cluster)) return;
    const size = sizeOf(this.#block(0));
    const before = parsed.base - this.#cluster.base;
    const first = before < 0n ? 0 : Number(before / size);
    const last = Number((parsed.base + sizeOf(parsed) - 1n - this.#cluster.base) / size);
    for (let index = first; index <= Math.min(last, this.#blocks - 1); index++) yield index;
  }
}
