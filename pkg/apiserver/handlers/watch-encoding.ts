import type { JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { canonicalize } from '../../apimachinery/canonical.ts';
import { WIRE, WireWriter } from '../../apimachinery/protobuf/wire.ts';
import { type Status, statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { protobufOf } from '../http/exchange.ts';
import { JSON_TYPE, PROTOBUF_TYPE, type Representation } from '../http/negotiate.ts';
import { objectBytes, objectOf, partialMetadata, type RowObject, tableOf } from '../http/representation.ts';
import type { StoredObject } from '../storage/stored-object.ts';

/** Writes the events of one watch in the form its client asked for. */
export interface WatchEncoding {
  readonly contentType: string;
  event(type: string, stored: StoredObject): Buffer;
  /** Tells the revision reached; `initialEventsEnd` marks the one that ends the initial state. */
  bookmark(revision: number, initialEventsEnd: boolean): Buffer;
  error(status: Status): Buffer;
}

/** Chooses the encoding: JSON has a document a line, protobuf a frame of four bytes of length and a WatchEvent. */
export function watchEncoding(descriptor: Descriptor, representation: Representation, rows: RowObject): WatchEncoding {
  const { mediaType, as } = representation;
  const binary = mediaType === PROTOBUF_TYPE;
  const frame = binary ? protobufFrame : jsonLine;
  const transform = transformer(descriptor, as, rows);
  const bookmark = (revision: number, initialEventsEnd: boolean): Buffer => {
    const annotations = initialEventsEnd
      ? {
          'k8s.io/initial-events-end': 'true',
          'kubernetes.io/initial-events-list-blueprint': listBlueprint(descriptor, representation),
        }
      : undefined;
    return frame('BOOKMARK', transform(bookmarkObject(descriptor, revision, annotations)));
  };
  return {
    contentType: binary ? `${PROTOBUF_TYPE};stream=watch` : JSON_TYPE,
    event:
      as === undefined
        ? (type, stored) => sharedEvent(descriptor, type, stored, binary)
        : (type, stored) => frame(type, transform(objectOf(descriptor, stored))),
    bookmark,
    error: (status) => frame('ERROR', status as unknown as JsonObject),
  };
}

type Transformer = (object: KubeObject) => JsonObject;

function transformer(descriptor: Descriptor, as: Representation['as'], rows: RowObject): Transformer {
  if (as === undefined) return (object) => object as unknown as JsonObject;
  if (as.kind === 'PartialObjectMetadata') return (object) => partialMetadata(object, as.apiVersion);
  if (as.kind === 'PartialObjectMetadataList') {
    throw statusErrors.notAcceptableTransform(`you requested ${as.kind}, but the requested object is not a list`);
  }
  let first = true;
  return (object) => {
    const table = tableOf(descriptor, [object], {
      apiVersion: as.apiVersion,
      metadata: { resourceVersion: object.metadata.resourceVersion },
      includeObject: rows,
      withoutColumns: !first,
      now: Date.now(),
    });
    first = false;
    return table as JsonObject;
  };
}

let latestJson: { stored: StoredObject; type: string; bytes: Buffer } | undefined;
let latestBinary: typeof latestJson;

/** All watchers get an event one after the other, so one remembered event of each form serves them all. */
function sharedEvent(descriptor: Descriptor, type: string, stored: StoredObject, binary: boolean): Buffer {
  const shared = descriptor.storedAs === undefined;
  const latest = binary ? latestBinary : latestJson;
  if (shared && latest?.stored === stored && latest.type === type) return latest.bytes;
  const bytes = binary
    ? protobufFrame(type, objectOf(descriptor, stored) as unknown as JsonObject)
    : Buffer.concat([Buffer.from(`{"type":"${type}","object":`), objectBytes(descriptor, stored), LINE_END]);
  if (shared && binary) latestBinary = { stored, type, bytes };
  else if (shared) latestJson = { stored, type, bytes };
  return bytes;
}

const LINE_END = Buffer.from('}\n');

function jsonLine(type: string, object: JsonObject): Buffer {
  return Buffer.from(`${JSON.stringify({ type, object })}\n`);
}

/** A WatchEvent without an envelope of its own; the object in it has one. */
function protobufFrame(type: string, object: JsonObject): Buffer {
  const document = protobufOf(object);
  const writer = new WireWriter();
  writer.raw(Buffer.alloc(4));
  writer.tag(1, WIRE.bytes);
  writer.string(type);
  writer.tag(2, WIRE.bytes);
  const extension = writer.begin();
  writer.tag(1, WIRE.bytes);
  writer.bytes(document);
  writer.end(extension);
  const frame = writer.finish();
  frame.writeUInt32BE(frame.length - 4);
  return frame;
}

function bookmarkObject(
  descriptor: Descriptor,
  revision: number,
  annotations: Record<string, string> | undefined,
): KubeObject {
  const object = {
    kind: descriptor.type.kind,
    apiVersion: apiVersionOf(descriptor.type),
    metadata: { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) },
  };
  // Upstream sends an empty object of the kind, with everything that is written even when it is zero.
  return (descriptor.custom ? object : canonicalize(object, descriptor.schema)) as unknown as KubeObject;
}

/** An empty list of the kind, from which client-go makes the list it would have got. */
function listBlueprint(descriptor: Descriptor, { mediaType, as }: Representation): string {
  const list = {
    kind: as === undefined ? descriptor.listKind : 'PartialObjectMetadataList',
    apiVersion: as === undefined ? apiVersionOf(descriptor.type) : as.apiVersion,
    metadata: {},
    items: null,
  };
  const bytes = mediaType === PROTOBUF_TYPE ? protobufOf(list) : Buffer.from(`${JSON.stringify(list)}\n`);
  return bytes.toString('base64');
}
