/**
 * API objects in protobuf, byte for byte as Go's generated code writes them: fields by ascending number, scalars and
 * structs that are no pointers in Go even when they are zero, map entries by key.
 */
import { schemaOf } from '../../api/facts.ts';
import type { AnySchema, Json, JsonObject, ScalarSchema, Schema, StructSchema } from '../../api/schema.ts';
import { parseDuration } from '../duration.ts';
import { isJsonObject, sortedKeys } from '../json.ts';
import { parseTime } from '../time.ts';
import { type Member, messagePlan } from './message-plan.ts';
import { WIRE, type WireWriter } from './wire.ts';

/** Writes the message of `object`, without tag or length. */
export function writeStruct(writer: WireWriter, object: JsonObject, schema: StructSchema): void {
  for (const member of messagePlan(schema).members) {
    if (member.inlined) writeMessage(writer, member.number, object, member.schema as StructSchema);
    else writeMember(writer, member, object[member.name] ?? null);
  }
}

/** Writes `object` as a field. */
export function writeMessage(writer: WireWriter, number: number, object: JsonObject, schema: StructSchema): void {
  const start = begin(writer, number);
  writeStruct(writer, object, schema);
  writer.end(start);
}

function begin(writer: WireWriter, number: number): number {
  writer.tag(number, WIRE.bytes);
  return writer.begin();
}

function writeMember(writer: WireWriter, member: Member, value: Json): void {
  const { schema, number } = member;
  if (value === null && (member.pointer || schema.kind === 'list' || schema.kind === 'map')) return;
  if (schema.kind === 'list' && !schema.wrapped) {
    if (!Array.isArray(value)) return;
    for (const item of value) writeValue(writer, number, item, schema.items);
  } else if (schema.kind === 'map') {
    if (!isJsonObject(value)) return;
    for (const key of sortedKeys(value)) {
      const start = begin(writer, number);
      writer.tag(1, WIRE.bytes);
      writer.string(key);
      writeValue(writer, 2, value[key] ?? null, schema.values);
      writer.end(start);
    }
  } else {
    writeValue(writer, number, value, schema);
  }
}

function writeValue(writer: WireWriter, number: number, value: Json, schema: Schema): void {
  switch (schema.kind) {
    case 'struct':
      writeMessage(writer, number, isJsonObject(value) ? value : {}, schema);
      break;
    case 'list': {
      const start = begin(writer, number);
      for (const item of Array.isArray(value) ? value : []) writeValue(writer, 1, item, schema.items);
      writer.end(start);
      break;
    }
    case 'any': {
      const start = begin(writer, number);
      writeAny(writer, value, schema.form);
      writer.end(start);
      break;
    }
    case 'scalar':
      writeScalar(writer, number, value, schema);
      break;
    default:
      throw new Error('protobuf has no maps of maps');
  }
}

function writeScalar(writer: WireWriter, number: number, value: Json, schema: ScalarSchema): void {
  switch (schema.type) {
    case 'string':
      writeString(writer, number, value);
      break;
    case 'boolean':
      writeInteger(writer, number, value === true ? 1 : 0);
      break;
    case 'int32':
    case 'int64':
      writeInteger(writer, number, value);
      break;
    case 'double':
      writer.tag(number, WIRE.fixed64);
      writer.double(typeof value === 'number' ? value : 0);
      break;
    case 'bytes':
      // A nil slice is the one scalar that is left out.
      if (typeof value !== 'string') return;
      writer.tag(number, WIRE.bytes);
      writer.bytes(Buffer.from(value, 'base64'));
      break;
    default: {
      const start = begin(writer, number);
      writeSpecial(writer, value, schema);
      writer.end(start);
    }
  }
}

/** The scalars of JSON that are messages in protobuf. */
function writeSpecial(writer: WireWriter, value: Json, schema: ScalarSchema): void {
  const text = typeof value === 'string' ? value : '';
  switch (schema.type) {
    case 'time':
    case 'microTime': {
      const ms = parseTime(text);
      if (ms === undefined) return;
      const seconds = Math.floor(ms / 1000);
      writeInteger(writer, 1, seconds);
      writeInteger(writer, 2, schema.type === 'time' ? 0 : Math.round((ms - seconds * 1000) * 1000) * 1000);
      break;
    }
    case 'duration':
      writeInteger(writer, 1, Math.round((parseDuration(text) ?? 0) * 1e6));
      break;
    case 'quantity':
      writeString(writer, 1, text === '' ? '0' : text);
      break;
    default:
      writeInteger(writer, 1, typeof value === 'string' ? 1 : 0);
      writeInteger(writer, 2, value);
      writeString(writer, 3, value);
  }
}

function writeAny(writer: WireWriter, value: Json, form: AnySchema['form']): void {
  const schemaProps = (): StructSchema => schemaOf('apiextensions.v1.JSONSchemaProps');
  switch (form) {
    case 'schemaOrBool':
      writeInteger(writer, 1, value === true || isJsonObject(value) ? 1 : 0);
      if (isJsonObject(value)) writeValue(writer, 2, value, schemaProps());
      break;
    case 'schemaOrArray':
    case 'schemaOrStringArray': {
      if (isJsonObject(value)) writeValue(writer, 1, value, schemaProps());
      if (!Array.isArray(value)) return;
      for (const item of value) {
        if (form === 'schemaOrArray') writeValue(writer, 2, item, schemaProps());
        else writeString(writer, 2, item);
      }
      break;
    }
    default:
      // The JSON text itself; null is an empty message, as Go's null keeps no text.
      if (value !== null) writeString(writer, 1, JSON.stringify(value));
  }
}

function writeString(writer: WireWriter, number: number, value: Json): void {
  writer.tag(number, WIRE.bytes);
  writer.string(typeof value === 'string' ? value : '');
}

function writeInteger(writer: WireWriter, number: number, value: Json): void {
  writer.tag(number, WIRE.varint);
  writer.int64(typeof value === 'number' ? Math.trunc(value) : 0);
}
