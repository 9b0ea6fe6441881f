/** JSON documents as protobuf messages, told by tables of their fields. */
import type { Json, JsonObject } from '../../api/schema.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import { WIRE, WireWriter } from '../../apimachinery/protobuf/wire.ts';

/**
 * How a value without fields of its own is written: `yaml` as an `Any`, which carries its text; `simple` as the one of
 * three fields that fits its type; `type` as a message of one string; `scopes` as one of the field's name and strings.
 */
type Plain = 'string' | 'strings' | 'bool' | 'integer' | 'double' | 'yaml' | 'yamls' | 'simple' | 'type' | 'scopes';

/** How one JSON field is written. */
export type Field = { readonly number: number; readonly as: Plain } | MessageField | NamedField;

interface MessageField {
  readonly number: number;
  /** `flag`: a message, or a boolean beside it. */
  readonly as: 'message' | 'messages' | 'flag';
  /** Fields of messages around the value that JSON does not have. */
  readonly path?: readonly number[];
  readonly message: () => Message;
}

/** A JSON object whose entries become messages, numbered `entry`, of a name and a value. */
interface NamedField {
  readonly number: number;
  readonly as: 'named';
  readonly entry: number;
  readonly path?: readonly number[];
  readonly message: () => Message;
}

export interface Message {
  readonly fields: Readonly<Record<string, Field>>;
  /** The field that takes what begins with `x-`. */
  readonly extensions?: number;
  /** Fields of messages around it that JSON does not have, as the value tells. */
  readonly around?: (value: JsonObject) => readonly number[];
  /** The fields, where the value tells which they are. */
  readonly variant?: (value: JsonObject) => Readonly<Record<string, Field>>;
  /** What is written of a value that refers to another. */
  readonly reference?: Message;
}

const NAME = 1;
const VALUE = 2;

/** Writes a JSON object as a message. Throws TypeError for a field that has no place. */
export function encodeMessage(document: JsonObject, message: Message): Buffer {
  const writer = new WireWriter();
  writeFields(writer, document, message);
  return writer.finish();
}

function writeFields(writer: WireWriter, object: JsonObject, message: Message): void {
  const fields = message.variant?.(object) ?? message.fields;
  for (const [name, value = null] of Object.entries(object)) {
    const field = fields[name];
    if (field !== undefined) writeField(writer, field, value, name);
    else if (name.startsWith('x-') && message.extensions !== undefined) {
      nested(writer, message.extensions, () => {
        text(writer, NAME, name);
        nested(writer, VALUE, () => yaml(writer, value));
      });
    } else throw new TypeError(`OpenAPI field ${name} has no protobuf form`);
  }
}

function writeField(writer: WireWriter, field: Field, value: Json, name = ''): void {
  const { number } = field;
  switch (field.as) {
    case 'string':
      text(writer, number, String(value));
      break;
    case 'strings':
      for (const item of listOf(value)) text(writer, number, String(item));
      break;
    case 'bool':
      writer.tag(number, WIRE.varint);
      writer.uint(value === true ? 1 : 0);
      break;
    case 'integer':
      writer.tag(number, WIRE.varint);
      writer.uint(Number(value));
      break;
    case 'double':
      writer.tag(number, WIRE.fixed64);
      writer.double(Number(value));
      break;
    case 'type':
      nested(writer, number, () => text(writer, 1, String(value)));
      break;
    case 'scopes':
      nested(writer, number, () => {
        text(writer, NAME, name);
        nested(writer, VALUE, () => writeField(writer, { number: 1, as: 'strings' }, value));
      });
      break;
    case 'simple':
      nested(writer, number, () => simple(writer, value));
      break;
    case 'flag':
      if (typeof value === 'boolean')
        nested(writer, number, () => writeField(writer, { number: 2, as: 'bool' }, value));
      else messageAt(writer, [number, ...(field.path ?? [])], value, field.message());
      break;
    case 'yaml':
      nested(writer, number, () => yaml(writer, value));
      break;
    case 'yamls':
      for (const item of listOf(value)) nested(writer, number, () => yaml(writer, item));
      break;
    case 'message':
      messageAt(writer, [number, ...(field.path ?? [])], value, field.message());
      break;
    case 'messages':
      for (const item of listOf(value)) messageAt(writer, [number], item, field.message());
      break;
    case 'named':
      nested(writer, number, () => writeNamed(writer, field, objectOf(value)));
      break;
  }
}

function writeNamed(writer: WireWriter, field: NamedField, entries: JsonObject): void {
  for (const [name, value = null] of Object.entries(entries)) {
    nested(writer, field.entry, () => {
      text(writer, NAME, name);
      messageAt(writer, [VALUE, ...(field.path ?? [])], value, field.message());
    });
  }
}

/** Writes `value` as the message at the end of a path of fields, each of which is in the message of the one before. */
function messageAt(writer: WireWriter, path: readonly number[], value: Json, message: Message): void {
  const object = objectOf(value);
  const whole = [...path, ...(message.around?.(object) ?? [])];
  const last = '$ref' in object && message.reference !== undefined ? message.reference : message;
  within(writer, whole, () => writeFields(writer, object, last));
}

function within(writer: WireWriter, [number, ...rest]: readonly number[], write: () => void): void {
  if (number === undefined) write();
  else nested(writer, number, () => within(writer, rest, write));
}

/** A message of a number, a boolean or a string; an empty one for anything else. */
function simple(writer: WireWriter, value: Json): void {
  if (typeof value === 'number') writeField(writer, { number: 1, as: 'double' }, value);
  else if (typeof value === 'boolean') writeField(writer, { number: 2, as: 'bool' }, value);
  else if (typeof value === 'string') text(writer, 3, value);
}

function text(writer: WireWriter, number: number, value: string): void {
  writer.tag(number, WIRE.bytes);
  writer.string(value);
}

/** An `Any`, which carries its value as YAML; JSON is YAML. */
function yaml(writer: WireWriter, value: Json): void {
  text(writer, 2, `${JSON.stringify(value)}\n`);
}

function nested(writer: WireWriter, number: number, write: () => void): void {
  writer.tag(number, WIRE.bytes);
  const start = writer.begin();
  write();
  writer.end(start);
}

function listOf(value: Json): readonly Json[] {
  if (!Array.isArray(value)) throw new TypeError('a list is expected');
  return value;
}

function objectOf(value: Json): JsonObject {
  if (!isJsonObject(value)) throw new TypeError('an object is expected');
  return value;
}
