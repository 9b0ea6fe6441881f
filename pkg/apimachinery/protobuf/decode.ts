/**
 * API objects from protobuf. What comes out is loose, as a client's JSON would be: zero values that JSON leaves out
 * are absent, quantities and times are not checked yet. Unknown fields are skipped, as Go's generated code does.
 */
import { schemaOf } from '../../api/facts.ts';
import type { AnySchema, Json, JsonObject, ScalarSchema, ScalarType, Schema, StructSchema } from '../../api/schema.ts';
import { formatDuration } from '../duration.ts';
import { isJsonObject, setKey } from '../json.ts';
import { formatMicroTime, formatTime } from '../time.ts';
import { type Member, messagePlan } from './message-plan.ts';
import { WIRE, WireError, WireReader } from './wire.ts';

/** Messages within messages; the deepest legitimate ones are JSON schemas. */
const DEPTH_LIMIT = 200;
/** 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what RFC 3339 can write. */
const FIRST_SECOND = -62_167_219_200;
const LAST_SECOND = 253_402_300_799;
/** Go's zero time. */
const ZERO_TIME_SECOND = -62_135_596_800;

/** Turns the bytes of a RawExtension or JSON field into the value they stand for. */
export type ReadRaw = (raw: Buffer, depth: number) => Json;

/** Reads one message into `into`; throws WireError for bytes that are not one. */
export function readStruct(
  bytes: Uint8Array,
  schema: StructSchema,
  readRaw: ReadRaw,
  depth = 0,
  into: JsonObject = {},
): JsonObject {
  const reader = new MessageReader(readRaw);
  reader.struct(bytes, schema, into, depth);
  return into;
}

class MessageReader {
  readonly #readRaw: ReadRaw;

  constructor(readRaw: ReadRaw) {
    this.#readRaw = readRaw;
  }

  struct(bytes: Uint8Array, schema: StructSchema, into: JsonObject, depth: number): void {
    if (depth > DEPTH_LIMIT) throw new WireError('proto: messages are nested too deeply');
    const { byNumber } = messagePlan(schema);
    const reader = new WireReader(bytes);
    while (!reader.done) {
      const { field, wireType } = reader.tag();
      const member = byNumber.get(field);
      if (member === undefined) reader.skip(wireType);
      else if (member.inlined) {
        expect(wireType, WIRE.bytes, member.name);
        this.struct(reader.bytes(), member.schema as StructSchema, into, depth + 1);
      } else this.#member(reader, wireType, member, into, depth);
    }
  }

  #member(reader: WireReader, wireType: number, member: Member, into: JsonObject, depth: number): void {
    const { name, schema } = member;
    if (schema.kind === 'list' && !schema.wrapped) {
      const list = Array.isArray(into[name]) ? into[name] : [];
      into[name] = list;
      const { items } = schema;
      if (wireType === WIRE.bytes && items.kind === 'scalar' && isVarint(items.type)) {
        const packed = new WireReader(reader.bytes());
        while (!packed.done) list.push(varint(packed, items.type));
      } else list.push(this.#value(reader, wireType, items, name, undefined, depth) ?? null);
      return;
    }
    if (schema.kind === 'map') {
      expect(wireType, WIRE.bytes, name);
      const map = isJsonObject(into[name]) ? into[name] : {};
      into[name] = map;
      this.#entry(reader.bytes(), schema.values, name, map, depth);
      return;
    }
    const value = this.#value(reader, wireType, schema, name, into[name], depth);
    if (value === undefined || (member.dropsZero && (value === '' || value === 0 || value === false))) {
      delete into[name];
    } else into[name] = value;
  }

  #entry(bytes: Buffer, values: Schema, name: string, into: JsonObject, depth: number): void {
    const entry = new WireReader(bytes);
    let key = '';
    let value: Json | undefined;
    while (!entry.done) {
      const { field, wireType } = entry.tag();
      if (field === 1) {
        expect(wireType, WIRE.bytes, name);
        key = entry.string();
      } else if (field === 2) value = this.#value(entry, wireType, values, name, undefined, depth);
      else entry.skip(wireType);
    }
    setKey(into, key, value ?? zeroOf(values));
  }

  /** The next value; undefined for what JSON writes as null. A struct continues the one that is there. */
  #value(
    reader: WireReader,
    wireType: number,
    schema: Schema,
    name: string,
    before: Json | undefined,
    depth: number,
  ): Json | undefined {
    if (schema.kind === 'scalar') {
      if (schema.type === 'double') {
        expect(wireType, WIRE.fixed64, name);
        return reader.double();
      }
      if (isVarint(schema.type)) {
        expect(wireType, WIRE.varint, name);
        return varint(reader, schema.type);
      }
    }
    expect(wireType, WIRE.bytes, name);
    switch (schema.kind) {
      case 'struct': {
        const object = isJsonObject(before) ? before : {};
        this.struct(reader.bytes(), schema, object, depth + 1);
        return object;
      }
      case 'list': {
        const list: Json[] = [];
        eachField(reader.bytes(), (inner, number, type) => {
          if (number !== 1) return false;
          list.push(this.#value(inner, type, schema.items, name, undefined, depth + 1) ?? null);
          return true;
        });
        return list;
      }
      case 'any':
        return this.#any(reader.bytes(), schema.form, name, depth + 1);
      case 'scalar':
        if (schema.type === 'string') return reader.string();
        return schema.type === 'bytes' ? reader.bytes().toString('base64') : special(reader.bytes(), schema, name);
      default:
        throw new Error('protobuf has no maps of maps');
    }
  }

  #any(bytes: Buffer, form: AnySchema['form'], name: string, depth: number): Json | undefined {
    const schemaProps = (reader: WireReader, wireType: number): Json =>
      this.#value(reader, wireType, schemaOf('apiextensions.v1.JSONSchemaProps'), name, undefined, depth) ?? {};
    if (form === 'schemaOrBool' || form === 'schemaOrArray' || form === 'schemaOrStringArray') {
      let single: Json | undefined;
      const many: Json[] = [];
      eachField(bytes, (reader, number, wireType) => {
        if (number !== 1 && number !== 2) return false;
        if (form === 'schemaOrBool' && number === 1) {
          expect(wireType, WIRE.varint, name);
          const allows = reader.bool();
          single ??= allows;
        } else if (form === 'schemaOrBool' || number === 1) single = schemaProps(reader, wireType);
        else if (form === 'schemaOrArray') many.push(schemaProps(reader, wireType));
        else {
          expect(wireType, WIRE.bytes, name);
          many.push(reader.string());
        }
        return true;
      });
      return single ?? (many.length > 0 ? many : undefined);
    }
    let raw: Buffer = Buffer.alloc(0);
    eachField(bytes, (reader, number, wireType) => {
      if (number !== 1) return false;
      expect(wireType, WIRE.bytes, name);
      raw = reader.bytes();
      return true;
    });
    return raw.length === 0 ? undefined : this.#readRaw(raw, depth);
  }
}

/** Calls `take` for each field; fields it does not want (false) are skipped. */
export function eachField(
  bytes: Uint8Array,
  take: (reader: WireReader, number: number, wireType: number) => boolean,
): void {
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { field, wireType } = reader.tag();
    if (!take(reader, field, wireType)) reader.skip(wireType);
  }
}

/** Throws WireError in Go's words when a field comes with another wire type than its own. */
export function expect(wireType: number, expected: number, name: string): void {
  if (wireType === expected) return;
  throw new WireError(`proto: wrong wireType = ${wireType} for field ${name.charAt(0).toUpperCase()}${name.slice(1)}`);
}

function isVarint(type: ScalarType): boolean {
  return type === 'boolean' || type === 'int32' || type === 'int64';
}

function varint(reader: WireReader, type: ScalarType): Json {
  if (type === 'boolean') return reader.bool();
  return type === 'int32' ? reader.int32() : reader.int64();
}

/** The messages that are scalars in JSON. */
function special(bytes: Buffer, schema: ScalarSchema, name: string): Json | undefined {
  let first = 0;
  let second = 0;
  let text = '';
  const textField = schema.type === 'quantity' ? 1 : 3;
  eachField(bytes, (reader, number, wireType) => {
    if (number > 3) return false;
    if (number === textField) {
      expect(wireType, WIRE.bytes, name);
      text = reader.string();
    } else {
      expect(wireType, WIRE.varint, name);
      if (number === 1) first = reader.int64();
      else second = reader.int32();
    }
    return true;
  });
  switch (schema.type) {
    case 'quantity':
      return text === '' ? '0' : text;
    case 'intOrString':
      return first === 1 ? text : second;
    case 'duration':
      return formatDuration(first / 1e6);
    default: {
      if (bytes.length === 0 || first === ZERO_TIME_SECOND) return undefined;
      if (first < FIRST_SECOND || first > LAST_SECOND)
        throw new WireError(`${name}: year is not in the range [0,9999]`);
      if (schema.type === 'time') return formatTime(first * 1000);
      return formatMicroTime(first * 1000 + Math.trunc(second / 1000) / 1000);
    }
  }
}

/** What a map entry without a value holds. */
function zeroOf(schema: Schema): Json {
  if (schema.kind === 'struct') return {};
  if (schema.kind === 'list') return [];
  if (schema.kind !== 'scalar') return null;
  if (schema.type === 'boolean') return false;
  if (schema.type === 'quantity') return '0';
  if (schema.type === 'time' || schema.type === 'microTime') return null;
  return isVarint(schema.type) || schema.type === 'double' || schema.type === 'intOrString' ? 0 : '';
}
