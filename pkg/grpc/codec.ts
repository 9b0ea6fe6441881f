import { WIRE, WireError, WireReader, WireWriter } from '../apimachinery/protobuf/wire.ts';
import { type MessageInitOf, type MessageNameOf, type MessageOf, SCALARS, type Scalar, type Schema } from './schema.ts';

type Values = Record<string, unknown>;

interface FieldPlan {
  readonly name: string;
  readonly number: number;
  readonly repeated: boolean;
  readonly kind: Scalar | 'enum' | 'message';
  /** The enum's values by number; empty for other kinds. */
  readonly values: readonly string[];
  /** The nested message's name; empty for other kinds. */
  readonly message: string;
}

interface MessagePlan {
  readonly name: string;
  readonly fields: readonly FieldPlan[];
  readonly byNumber: ReadonlyMap<number, FieldPlan>;
}

function isScalar(type: string): type is Scalar {
  return (SCALARS as readonly string[]).includes(type);
}

/** How to read and write the messages of one schema; each plan is made at its first use. */
class Plans {
  readonly #schema: Schema;
  readonly #made = new Map<string, MessagePlan>();

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  get(name: string): MessagePlan {
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const facts = this.#schema.messages[name];
    if (facts === undefined) throw new Error(`facts: there is no message ${name}`);
    const fields = Object.entries(facts).map(([field, [number, type]]) => this.#field(field, number, type));
    const plan = { name, fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
    this.#made.set(name, plan);
    return plan;
  }

  #field(name: string, number: number, type: string): FieldPlan {
    const repeated = type.endsWith('[]');
    const base = repeated ? type.slice(0, -2) : type;
    const field = { name, number, repeated, values: [], message: '' };
    if (isScalar(base)) return { ...field, kind: base };
    const values = this.#schema.enums[base];
    if (values !== undefined) return { ...field, kind: 'enum', values };
    if (base in this.#schema.messages) return { ...field, kind: 'message', message: base };
    throw new Error(`facts: field ${name} has the unknown type ${type}`);
  }
}

function unset(field: FieldPlan): unknown {
  if (field.repeated) return [];
  switch (field.kind) {
    case 'string':
      return '';
    case 'bytes':
      return new Uint8Array(0);
    case 'bool':
      return false;
    case 'nanos':
    case 'id':
      return 0n;
    case 'map':
      return {};
    case 'enum':
      return field.values[0];
    case 'message':
      return undefined;
    default:
      return 0;
  }
}

function checkInteger(field: FieldPlan, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${field.name}: ${String(value)} is not a ${field.kind} within the safe range`);
}

const MAX = Number.MAX_SAFE_INTEGER;

function writeVarint(writer: WireWriter, field: FieldPlan, value: unknown): void {
  switch (field.kind) {
    case 'bool':
      writer.uint(value === true ? 1 : 0);
      break;
    case 'int32':
      writer.int64(checkInteger(field, value, -(2 ** 31), 2 ** 31 - 1));
      break;
    case 'uint32':
      writer.uint(checkInteger(field, value, 0, 2 ** 32 - 1));
      break;
    case 'int64':
      writer.int64(checkInteger(field, value, -MAX, MAX));
      break;
    case 'uint64':
      writer.uint(checkInteger(field, value, 0, MAX));
      break;
    case 'nanos':
    case 'id':
      writer.int64(value as bigint);
      break;
    default: {
      const number = field.values.indexOf(value as string);
      if (number < 0) throw new RangeError(`${field.name}: ${String(value)} is not one of its enum's values`);
      writer.uint(number);
    }
  }
}

function nested(writer: WireWriter, number: number, write: () => void): void {
  writer.tag(number, WIRE.bytes);
  const start = writer.begin();
  write();
  writer.end(start);
}

function writeOne(plans: Plans, writer: WireWriter, field: FieldPlan, value: unknown): void {
  switch (field.kind) {
    case 'string':
      writer.tag(field.number, WIRE.bytes);
      writer.string(value as string);
      break;
    case 'bytes':
      writer.tag(field.number, WIRE.bytes);
      writer.bytes(value as Uint8Array);
      break;
    case 'message':
      nested(writer, field.number, () => writeMessage(plans, writer, plans.get(field.message), value as Values));
      break;
    case 'double':
      writer.tag(field.number, WIRE.fixed64);
      writer.double(value as number);
      break;
    case 'map':
      for (const [key, text] of Object.entries(value as Record<string, string>)) {
        nested(writer, field.number, () => {
          writer.tag(1, WIRE.bytes);
          writer.string(key);
          writer.tag(2, WIRE.bytes);
          writer.string(text);
        });
      }
      break;
    default:
      writer.tag(field.number, WIRE.varint);
      writeVarint(writer, field, value);
  }
}

function isPackable(field: FieldPlan): boolean {
  return !['string', 'bytes', 'message', 'map', 'double'].includes(field.kind);
}

function writeMessage(plans: Plans, writer: WireWriter, plan: MessagePlan, values: Values): void {
  for (const field of plan.fields) {
    const value = values[field.name];
    if (value === undefined) continue;
    if (!field.repeated) {
      // proto3 leaves a scalar with its default value out.
      if (field.kind === 'message' || value !== unset(field)) writeOne(plans, writer, field, value);
      continue;
    }
    const items = value as readonly unknown[];
    if (items.length === 0) continue;
    if (isPackable(field)) {
      nested(writer, field.number, () => {
        for (const item of items) writeVarint(writer, field, item);
      });
    } else for (const item of items) writeOne(plans, writer, field, item);
  }
}

function readVarint(reader: WireReader, field: FieldPlan): unknown {
  switch (field.kind) {
    case 'bool':
      return reader.bool();
    case 'int32':
      return reader.int32();
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return reader.int64();
    case 'uint64':
      return reader.uint64();
    case 'nanos':
      return reader.bigInt64();
    case 'id':
      return BigInt.asUintN(64, reader.bigInt64());
    default:
      // A value newer than the facts reads as the first one, as an unset field would.
      return field.values[reader.int32()] ?? field.values[0];
  }
}

function readMapEntry(reader: WireReader, into: Record<string, string>): void {
  const entry = new WireReader(reader.bytes());
  let key = '';
  let value = '';
  while (!entry.done) {
    const { field, wireType } = entry.tag();
    if (field === 1 && wireType === WIRE.bytes) key = entry.string();
    else if (field === 2 && wireType === WIRE.bytes) value = entry.string();
    else entry.skip(wireType);
  }
  into[key] = value;
}

function wireTypeOf(field: FieldPlan): number {
  if (field.kind === 'double') return WIRE.fixed64;
  return isPackable(field) ? WIRE.varint : WIRE.bytes;
}

function readField(plans: Plans, reader: WireReader, field: FieldPlan, wireType: number, into: Values): void {
  if (field.repeated && isPackable(field) && wireType === WIRE.bytes) {
    const packed = new WireReader(reader.bytes());
    while (!packed.done) (into[field.name] as unknown[]).push(readVarint(packed, field));
    return;
  }
  if (wireType !== wireTypeOf(field)) throw new WireError(`${field.name}: unexpected wire type ${wireType}`);
  if (field.kind === 'map') {
    readMapEntry(reader, into[field.name] as Record<string, string>);
    return;
  }
  let value: unknown;
  if (field.kind === 'string') value = reader.string();
  else if (field.kind === 'bytes') value = reader.bytes();
  else if (field.kind === 'double') value = reader.double();
  else if (field.kind === 'message') value = read(plans, plans.get(field.message), reader.bytes());
  else value = readVarint(reader, field);
  if (field.repeated) (into[field.name] as unknown[]).push(value);
  else into[field.name] = value;
}

function emptyValues(plan: MessagePlan): Values {
  const values: Values = {};
  for (const field of plan.fields) if (field.repeated || field.kind !== 'message') values[field.name] = unset(field);
  return values;
}

function read(plans: Plans, plan: MessagePlan, bytes: Uint8Array): Values {
  const values = emptyValues(plan);
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { field: number, wireType } = reader.tag();
    const field = plan.byNumber.get(number);
    if (field === undefined) reader.skip(wireType);
    else readField(plans, reader, field, wireType, values);
  }
  return values;
}

function fill(plans: Plans, plan: MessagePlan, init: Values): Values {
  const values = emptyValues(plan);
  for (const field of plan.fields) {
    const value = init[field.name];
    if (value === undefined) continue;
    const part = (item: unknown): Values => fill(plans, plans.get(field.message), item as Values);
    if (field.kind !== 'message') values[field.name] = value;
    else values[field.name] = field.repeated ? (value as unknown[]).map(part) : part(value);
  }
  return values;
}

export interface Codec<S extends Schema> {
  /** `value` in protobuf's wire form. Throws RangeError for a number its field cannot hold and for an unknown enum value. */
  encode<M extends MessageNameOf<S>>(name: M, value: MessageInitOf<S, M>): Buffer;
  /** The message in `bytes`; fields that are not in the facts are skipped. Throws WireError for malformed bytes. */
  decode<M extends MessageNameOf<S>>(name: M, bytes: Uint8Array): MessageOf<S, M>;
  /** A whole message made from some of its fields, as the other side would send it; for fakes. */
  message<M extends MessageNameOf<S>>(name: M, init: MessageInitOf<S, M>): MessageOf<S, M>;
}

/** Writes and reads the messages of `schema`. */
export function createCodec<const S extends Schema>(schema: S): Codec<S> {
  const plans = new Plans(schema);
  return {
    encode(name, value) {
      const writer = new WireWriter();
      writeMessage(plans, writer, plans.get(name), value as Values);
      return writer.finish();
    },
    decode: (name, bytes) => read(plans, plans.get(name), bytes) as never,
    message: (name, init) => fill(plans, plans.get(name), init as Values) as never,
  };
}
