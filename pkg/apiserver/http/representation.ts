import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { encodeProtobufList } from '../../apimachinery/protobuf/envelope.ts';
import { columnDefinitions } from '../../registry/column-definitions.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { fromStorage } from '../operations/resource-operations.ts';
import type { StoredObject } from '../storage/stored-object.ts';
import { protobufSchema } from './exchange.ts';
import { giveRoom, type PiecedDocument, takeRoom } from './pieced-document.ts';

/** The object in the descriptor's version as JSON bytes: the stored ones, unless it is stored in another version. */
export function objectBytes(descriptor: Descriptor, stored: StoredObject): Buffer {
  if (descriptor.storedAs === undefined) return stored.bytes;
  const object = objectOf(descriptor, stored);
  return object === stored.object ? stored.bytes : Buffer.from(JSON.stringify(object));
}

/** The object in the descriptor's version; shared, not to be changed. */
export function objectOf(descriptor: Descriptor, stored: StoredObject): KubeObject {
  if (descriptor.storedAs === undefined) return stored.object;
  const converted = fromStorage(descriptor, stored.object);
  if (converted === stored.object) return stored.object;
  const { kind } = descriptor.type;
  // Kind and version come first, as listBytes expects.
  const { kind: _k, apiVersion: _v, ...rest } = converted;
  return { kind, apiVersion: apiVersionOf(descriptor.type), ...rest };
}

export interface ListMetadata {
  /** Absent from lists of computed objects. */
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/**
 * A list document, spliced from the items' bytes. Items of built-in kinds carry no kind and apiVersion of their own
 * (upstream's typed lists); encodeForStorage put those two first, so they are cut off as one prefix.
 */
export function jsonList(
  descriptor: Descriptor,
  items: readonly StoredObject[],
  metadata: ListMetadata,
): PiecedDocument {
  const { type } = descriptor;
  // Lists of custom resources always have a continue token, be it empty.
  const shown = descriptor.custom ? { continue: '', ...metadata } : metadata;
  const head = JSON.stringify({ kind: descriptor.listKind, apiVersion: apiVersionOf(type), metadata: shown });
  const prefix = JSON.stringify({ kind: type.kind, apiVersion: apiVersionOf(type) }).length;
  const beginning = Buffer.from(`${head.slice(0, -1)},"items":[`);
  // What an item is less: the prefix with its comma, but for the brace.
  const cut = descriptor.custom ? 0 : prefix - 1;
  const documents = items.map((stored) => objectBytes(descriptor, stored));
  const commas = Math.max(0, documents.length - 1);
  const length = documents.reduce((sum, bytes) => sum + bytes.length - cut, beginning.length + commas + END.length);
  const makePieces = function* (room: Buffer): Generator<Buffer> {
    let at = 0;
    const put = function* (bytes: Buffer, start = 0): Generator<Buffer> {
      let from = start;
      for (;;) {
        const copied = bytes.copy(room, at, from);
        at += copied;
        from += copied;
        if (from === bytes.length) return;
        yield room.subarray(0, at);
        at = 0;
      }
    };
    yield* put(beginning);
    for (const [index, bytes] of documents.entries()) {
      const opening = index === 0 ? FIRST : FURTHER;
      // All at once where there is room, as there mostly is.
      if (at + opening.length + bytes.length <= room.length) {
        at += opening.copy(room, at);
        at += bytes.copy(room, at, cut + 1);
      } else {
        yield* put(opening);
        yield* put(bytes, cut + 1);
      }
    }
    yield* put(END);
    yield room.subarray(0, at);
  };
  const room = takeRoom();
  return { length, pieces: makePieces(room), release: () => giveRoom(room) };
}

/** The same list in protobuf, made in many turns of the event loop. Throws NotAcceptable when its kind has no such form. */
export async function protobufList(
  descriptor: Descriptor,
  items: readonly StoredObject[],
  metadata: ListMetadata,
): Promise<PiecedDocument> {
  const list = {
    apiVersion: apiVersionOf(descriptor.type),
    kind: descriptor.listKind,
    metadata: metadata as unknown as JsonObject,
  };
  const schema = protobufSchema(list.apiVersion, list.kind);
  const objects = function* (): Generator<JsonObject> {
    for (const stored of items) yield passingObject(descriptor, stored) as unknown as JsonObject;
  };
  const room = async (): Promise<Buffer> => {
    await nextTurn();
    return takeRoom();
  };
  const pieces = await encodeProtobufList(list, schema, objects(), room);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return { length, pieces, release: () => pieces.forEach(giveRoom) };
}

/** The object for passing use: what a list looks at once is not kept. */
export function passingObject(descriptor: Descriptor, stored: StoredObject): KubeObject {
  return descriptor.storedAs === undefined ? stored.peek() : objectOf(descriptor, stored);
}

const FIRST = Buffer.from('{');
const FURTHER = Buffer.from(',{');
const END = Buffer.from(']}\n');

export const META_V1 = 'meta.k8s.io/v1';

/** The metadata of an object alone; `apiVersion` is the version of meta.k8s.io it is told in. */
export function partialMetadata(object: KubeObject, apiVersion = META_V1): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata as unknown as JsonObject };
}

/** What a table row says of its object besides the cells: `includeObject` of upstream's TableOptions. */
export type RowObject = 'Metadata' | 'Object' | 'None';

export interface TableOptions {
  readonly apiVersion: string;
  readonly metadata: object;
  readonly includeObject: RowObject;
  /** Watch events after the first leave the columns out. */
  readonly withoutColumns?: boolean;
  /** Milliseconds since the epoch, for ages. */
  readonly now: number;
}

/** A meta.k8s.io Table of objects, with the cells upstream prints. */
export function tableOf(
  descriptor: Pick<Descriptor, 'columns' | 'compareRows' | 'rowConditions' | 'inTables'>,
  objects: readonly KubeObject[],
  options: TableOptions,
): object {
  const { compareRows } = descriptor;
  const ordered = compareRows === undefined ? objects : [...objects].sort(compareRows);
  const rows = ordered.map((object) => {
    const cells = descriptor.columns.map((column) => column.cell(object, options.now));
    const conditions = descriptor.rowConditions?.(object);
    const carried = descriptor.inTables?.(object) ?? object;
    const shown = {
      None: () => null,
      Object: () => carried,
      Metadata: () => partialMetadata(carried, options.apiVersion),
    }[options.includeObject]();
    return { cells, ...(conditions === undefined ? {} : { conditions }), object: shown };
  });
  return {
    kind: 'Table',
    apiVersion: options.apiVersion,
    metadata: options.metadata,
    columnDefinitions: options.withoutColumns ? null : columnDefinitions(descriptor.columns),
    rows,
  };
}
