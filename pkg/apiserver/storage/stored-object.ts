import type { KubeObject } from '../../api/types.ts';
import type { KeyValue } from '../../datastore/datastore.ts';

const METADATA = Buffer.from('"metadata":{');

/**
 * One stored object: the JSON bytes every answer is made of, and the parsed object, made when somebody first asks.
 * The datastore's value has no resourceVersion (it is the revision, known only when the write is done); it is spliced
 * in here, once. Invariant: encodeForStorage put `"metadata":{` before any other text that could look like it.
 */
export class StoredObject<T extends KubeObject = KubeObject> {
  readonly key: string;
  readonly revision: number;
  readonly bytes: Buffer;
  #object: T | undefined;

  /** `versioned` false: without a resourceVersion, as a dry run answers. */
  constructor(kv: KeyValue, versioned = true) {
    this.key = kv.key;
    this.revision = kv.modRevision;
    const value = Buffer.from(kv.value.buffer, kv.value.byteOffset, kv.value.byteLength);
    const at = value.indexOf(METADATA);
    if (at < 0) throw new Error(`the datastore's value of ${kv.key} is not an API object`);
    const split = at + METADATA.length;
    if (!versioned) {
      this.bytes = value;
      return;
    }
    const version = `"resourceVersion":"${kv.modRevision}",`;
    // Not out of Node's shared pool: what lives long would hold on to whole slabs of it.
    this.bytes = Buffer.allocUnsafeSlow(value.length + version.length);
    value.copy(this.bytes, 0, 0, split);
    this.bytes.write(version, split, 'latin1');
    value.copy(this.bytes, split + version.length, split);
  }

  /** What would have been stored. */
  static unversioned(key: string, value: Uint8Array): StoredObject {
    return new StoredObject({ key, value, createRevision: 0, modRevision: 0 }, false);
  }

  /** The same content under another resourceVersion. */
  at(revision: number): StoredObject<T> {
    const { resourceVersion: _, ...metadata } = this.object.metadata;
    const value = encodeForStorage({ ...this.object, metadata } as KubeObject);
    return new StoredObject<T>({ key: this.key, value, createRevision: revision, modRevision: revision });
  }

  /** The shared parsed object; never to be changed. */
  get object(): T {
    this.#object ??= JSON.parse(this.bytes.toString('utf8')) as T;
    return this.#object;
  }

  /** The parsed object for passing use: what a list looks at once is not kept. Never to be changed. */
  peek(): T {
    return this.#object ?? this.draft();
  }

  /** A copy of its own, for changing. */
  draft(): T {
    return JSON.parse(this.bytes.toString('utf8')) as T;
  }
}

/** The bytes to store: kind and apiVersion first, then metadata (never empty) without its resourceVersion. */
export function encodeForStorage(object: KubeObject): Buffer {
  const { kind, apiVersion, metadata, ...rest } = object;
  return Buffer.from(JSON.stringify({ kind, apiVersion, metadata: unversioned(metadata), ...rest }), 'utf8');
}

/** New objects have no version yet, and are not copied just to make sure. */
function unversioned(metadata: KubeObject['metadata']): object {
  if (!Object.hasOwn(metadata, 'resourceVersion')) return metadata;
  const { resourceVersion: _, ...rest } = metadata;
  return rest;
}
