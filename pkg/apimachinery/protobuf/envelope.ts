/**
 * Protobuf documents: four magic bytes and a runtime.Unknown message that names the kind and carries the object
 * (k8s.io/apimachinery/pkg/runtime/serializer/protobuf).
 */
import { schemaOf, typeNames } from '../../api/facts.ts';
import type { Json, JsonObject, StructSchema } from '../../api/schema.ts';
import { eachField, expect, readStruct } from './decode.ts';
import { writeMessage, writeStruct } from './encode.ts';
import { messagePlan } from './message-plan.ts';
import { WIRE, WireError, WireWriter } from './wire.ts';

const MAGIC = Buffer.from('k8s\0');
const known = new Set(typeNames);

/** An opened document: what it says it holds, and the bytes of that object. */
export interface Envelope {
  /** Empty when the document does not say. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Buffer;
}

/** Opens a document; throws WireError when it is none. */
export function openEnvelope(document: Buffer): Envelope {
  if (document.length === 0) throw new WireError('empty data');
  if (!hasMagic(document)) {
    throw new WireError(
      `provided data does not appear to be a protobuf message, expected prefix [${[...MAGIC].join(' ')}]`,
    );
  }
  if (document.length === MAGIC.length) throw new WireError('empty body');
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = Buffer.alloc(0);
  eachField(document.subarray(MAGIC.length), (reader, number, wireType) => {
    if (number > 4) return false;
    expect(wireType, WIRE.bytes, ['TypeMeta', 'Raw', 'ContentEncoding', 'ContentType'][number - 1] ?? '');
    if (number === 1) {
      eachField(reader.bytes(), (typeMeta, part, type) => {
        if (part > 2) return false;
        expect(type, WIRE.bytes, part === 1 ? 'APIVersion' : 'Kind');
        if (part === 1) apiVersion = typeMeta.string();
        else kind = typeMeta.string();
        return true;
      });
    } else if (number === 2) raw = reader.bytes();
    else reader.bytes();
    return true;
  });
  return { apiVersion, kind, raw };
}

/** The object in `raw` with its kind and apiVersion; throws WireError when the bytes are no such object. */
export function decodeProtobuf(envelope: Envelope, schema: StructSchema): JsonObject {
  const { apiVersion, kind, raw } = envelope;
  const typed = { ...(kind && { kind }), ...(apiVersion && { apiVersion }) };
  return readStruct(raw, schema, readRaw, 0, typed);
}

/** The document of `object`, whose kind and apiVersion go into the envelope. */
export function encodeProtobuf(object: JsonObject, schema: StructSchema): Buffer {
  const writer = new WireWriter();
  writeEnvelope(writer, String(object['apiVersion'] ?? ''), String(object['kind'] ?? ''), () =>
    writeStruct(writer, object, schema),
  );
  return writer.finish();
}

/** Writes a document around the object that `write` writes. */
export function writeEnvelope(writer: WireWriter, apiVersion: string, kind: string, write: () => void): void {
  writeHead(writer, apiVersion, kind);
  const raw = writer.begin();
  write();
  writer.end(raw);
  writeTail(writer);
}

/** What stands before the object's size. */
function writeHead(writer: WireWriter, apiVersion: string, kind: string): void {
  writer.raw(MAGIC);
  writer.tag(1, WIRE.bytes);
  const typeMeta = writer.begin();
  writer.tag(1, WIRE.bytes);
  writer.string(apiVersion);
  writer.tag(2, WIRE.bytes);
  writer.string(kind);
  writer.end(typeMeta);
  writer.tag(2, WIRE.bytes);
}

/** contentEncoding and contentType are no pointers in Go: they are written, though always empty. */
function writeTail(writer: WireWriter): void {
  for (const number of [3, 4]) {
    writer.tag(number, WIRE.bytes);
    writer.string('');
  }
}

/**
 * The document of a list in pieces, each about as large as what `room` gives it to be written in. Each item is asked for
 * when it is written, and not kept.
 */
export async function encodeProtobufList(
  list: { readonly apiVersion: string; readonly kind: string; readonly metadata: JsonObject },
  schema: StructSchema,
  items: Iterable<JsonObject>,
  room: () => Promise<Buffer>,
): Promise<Buffer[]> {
  const member = messagePlan(schema).members.find(({ name }) => name === 'items');
  const itemSchema = member?.schema.kind === 'list' ? member.schema.items : undefined;
  if (member === undefined || itemSchema?.kind !== 'struct') throw new Error(`${schema.name} is no list`);
  let current = await room();
  const writer = new WireWriter(current);
  const pieces: Buffer[] = [];
  // Items have the last number of all.
  writeStruct(writer, { metadata: list.metadata }, schema);
  let largest = 0;
  for (const item of items) {
    const before = writer.length;
    writeMessage(writer, member.number, item, itemSchema);
    largest = Math.max(largest, writer.length - before);
    // Another one may not fit any more.
    if (writer.length + largest <= current.length) continue;
    current = await room();
    pieces.push(writer.cut(current));
  }
  pieces.push(writer.cut(Buffer.allocUnsafe(64)));
  writeTail(writer);
  const head = new WireWriter();
  writeHead(head, list.apiVersion, list.kind);
  head.uint(pieces.reduce((sum, { length }) => sum + length, 0));
  return [head.finish(), ...pieces, writer.finish()];
}

/** The schema of a built-in kind by its group's first label, version and name; also of the kinds every group shares. */
export function schemaOfKind(apiVersion: string, kind: string): StructSchema | undefined {
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  const name = `${group.split('.')[0]}.${version}.${kind}`;
  if (known.has(name)) return schemaOf(name);
  return known.has(`meta.v1.${kind}`) ? schemaOf(`meta.v1.${kind}`) : undefined;
}

function hasMagic(bytes: Buffer): boolean {
  return bytes.length >= MAGIC.length && bytes.subarray(0, MAGIC.length).equals(MAGIC);
}

/** RawExtensions hold JSON, or a document of their own. */
function readRaw(raw: Buffer, depth: number): Json {
  if (hasMagic(raw)) {
    const { apiVersion, kind, raw: inner } = openEnvelope(raw);
    const schema = schemaOfKind(apiVersion, kind);
    if (schema === undefined) throw new WireError(`no kind "${kind}" is registered for version "${apiVersion}"`);
    return readStruct(inner, schema, readRaw, depth, { kind, apiVersion });
  }
  try {
    return JSON.parse(raw.toString('utf8')) as Json;
  } catch (error) {
    throw new WireError(error instanceof Error ? error.message : String(error));
  }
}
