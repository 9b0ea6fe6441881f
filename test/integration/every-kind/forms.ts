import { schemaOf } from '../../../pkg/api/facts.ts';
import type { Json, JsonObject } from '../../../pkg/api/schema.ts';
import { canonicalize } from '../../../pkg/apimachinery/canonical.ts';
import {
  decodeProtobuf,
  encodeProtobuf,
  openEnvelope,
  schemaOfKind,
} from '../../../pkg/apimachinery/protobuf/envelope.ts';
import { formatYaml, parseYaml } from '../../../pkg/apimachinery/yaml.ts';

/** One of the three ways objects are written on the wire. */
export interface Form {
  readonly name: string;
  readonly mediaType: string;
  write(object: JsonObject): Buffer;
  read(bytes: Buffer): JsonObject;
  /** The events of a watch stream; undefined where watches have no such form. */
  readonly events?: (bytes: Buffer) => WatchEvent[];
}

export interface WatchEvent {
  readonly type: string;
  readonly object: JsonObject;
}

const json: Form = {
  name: 'JSON',
  mediaType: 'application/json',
  write: (object) => Buffer.from(JSON.stringify(object)),
  read: (bytes) => asObject(JSON.parse(bytes.toString('utf8')) as Json),
  events: (bytes) => {
    const lines = bytes.toString('utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as WatchEvent);
  },
};

const yaml: Form = {
  name: 'YAML',
  mediaType: 'application/yaml',
  write: (object) => Buffer.from(formatYaml(object)),
  read: (bytes) => asObject(parseYaml(bytes.toString('utf8')).value),
};

const protobuf: Form = {
  name: 'protobuf',
  mediaType: 'application/vnd.kubernetes.protobuf',
  write: (object) => encodeProtobuf(object, protobufSchema(object['apiVersion'], object['kind'])),
  read: readProtobuf,
  events: (bytes) => {
    const events: WatchEvent[] = [];
    for (let at = 0; at + 4 <= bytes.length; ) {
      const end = at + 4 + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      // A WatchEvent has no kind: its frame is the bare message.
      const raw = bytes.subarray(at + 4, end);
      const event = decodeProtobuf({ apiVersion: '', kind: '', raw }, schemaOf('meta.v1.WatchEvent'));
      events.push(event as unknown as WatchEvent);
      at = end;
    }
    return events;
  },
};

export const FORMS: readonly Form[] = [json, yaml, protobuf];
export const JSON_FORM = json;
export const PROTOBUF_FORM = protobuf;

function readProtobuf(bytes: Buffer): JsonObject {
  const envelope = openEnvelope(bytes);
  const schema = protobufSchema(envelope.apiVersion, envelope.kind);
  // Protobuf does not tell of fields that JSON writes though they are empty.
  return canonicalize(decodeProtobuf(envelope, schema), schema);
}

function protobufSchema(
  apiVersion: Json | undefined,
  kind: Json | undefined,
): NonNullable<ReturnType<typeof schemaOfKind>> {
  const schema = schemaOfKind(String(apiVersion), String(kind));
  if (schema === undefined) throw new TypeError(`no schema of ${String(apiVersion)} ${String(kind)}`);
  return schema;
}

function asObject(value: Json): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not an object');
  return value;
}
