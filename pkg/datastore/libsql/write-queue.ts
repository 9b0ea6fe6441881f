import { DatastoreError, MAX_VALUE_BYTES, type WriteResult } from '../datastore.ts';
import { checkKey } from '../keys.ts';
import type { WriteOp } from './protocol.ts';

/** Bounds of what may wait; beyond them writers are told to come back later instead of filling the memory. */
const MAX_WAITING = 10_000;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Bounds of one group, which shares a transaction: they bound how long a write waits for others. */
const MAX_GROUP = 1000;
const MAX_GROUP_BYTES = 4 * 1024 * 1024;

/** A write somebody waits for. */
export interface WaitingWrite {
  readonly verb: WriteOp['verb'];
  readonly key: string;
  readonly value: Uint8Array;
  readonly expect: number;
  readonly lazy: boolean;
  resolve(result: WriteResult): void;
  reject(error: Error): void;
}

/** Writes waiting to be sent to the worker, in order of arrival, bounded by number and bytes. */
export class WriteQueue {
  #waiting: WaitingWrite[] = [];
  #bytes = 0;

  get length(): number {
    return this.#waiting.length;
  }

  /** Adds a write; throws DatastoreError `invalid-key`, `value-too-large` or `queue-full`. */
  add(write: WaitingWrite): void {
    checkKey(write.key);
    const size = write.value.byteLength;
    if (size > MAX_VALUE_BYTES) {
      const message = `the value of ${write.key} has ${size} bytes; the limit is ${MAX_VALUE_BYTES}`;
      throw new DatastoreError('value-too-large', message);
    }
    if (this.#waiting.length >= MAX_WAITING || this.#bytes + size > MAX_WAITING_BYTES) {
      throw new DatastoreError(
        'queue-full',
        `${this.#waiting.length} writes are waiting for the disk; try again later`,
      );
    }
    this.#waiting.push(write);
    this.#bytes += size;
  }

  /** Takes the oldest writes, at most a group, at least one if there is any. */
  takeGroup(): readonly WaitingWrite[] {
    let bytes = 0;
    let end = 0;
    for (const write of this.#waiting) {
      bytes += write.value.byteLength;
      if (end > 0 && (end >= MAX_GROUP || bytes > MAX_GROUP_BYTES)) break;
      end++;
    }
    const group = this.#waiting.splice(0, end);
    this.#bytes -= group.reduce((sum, write) => sum + write.value.byteLength, 0);
    return group;
  }

  /** Takes everything. */
  takeAll(): readonly WaitingWrite[] {
    const all = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    return all;
  }
}

/** The message of a group: its operations, and its values in one piece of memory that can be handed over. */
export function packGroup(group: readonly WaitingWrite[]): { ops: WriteOp[]; values: Uint8Array<ArrayBuffer> } {
  const values = new Uint8Array(group.reduce((sum, write) => sum + write.value.byteLength, 0));
  let offset = 0;
  const ops = group.map(({ verb, key, value, expect, lazy }): WriteOp => {
    values.set(value, offset);
    offset += value.byteLength;
    return { verb, key, expect, offset: offset - value.byteLength, length: value.byteLength, lazy };
  });
  return { ops, values };
}
