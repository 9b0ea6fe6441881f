/**
 * From parsed JSON to an object of its kind: fields the Schema does not know are found and dropped, nulls become
 * absence, wrong types are refused with the texts of Go's decoder, and quantities and times take their canonical form.
 * What needs no change is shared with the input, which itself is never changed.
 */
import type { FieldSchema, Json, JsonObject, ScalarSchema, Schema, StructSchema } from '../api/schema.ts';
import { append } from './append.ts';
import { goSyntax } from './custom/validate-value.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { fieldError, Verbatim } from './field-error.ts';
import { goQuote } from './go-quote.ts';
import { isJsonObject, setKey } from './json.ts';
import { canonicalQuantity, QUANTITY_FORMAT_ERROR } from './quantity.ts';
import { type StatusError, statusErrors } from './status-error.ts';
import { canonicalMicroTime, canonicalTime, timeErrorText } from './time.ts';

/** A value of the wrong type; `message` is the decoder's sentence, which callers put into their answer. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}

export interface Decoded {
  readonly value: JsonObject;
  /** `unknown field "spec.foo"`, in document order, at most 100. */
  readonly strictErrors: readonly string[];
}

const MAX_STRICT_ERRORS = 100;
const INT32_MAX = 2 ** 31 - 1;
const INT64_LIMIT = 2 ** 63;
/** The greatest int64 a double holds; its decimal text still fits an int64 for the clients that read it back. */
const INT64_MAX_DOUBLE = 2 ** 63 - 1024;

/** Decodes an object of a built-in kind. Throws DecodeError when a value does not fit its field. */
export function decodeObject(value: Json, schema: StructSchema): Decoded {
  const walker = new Walker(true);
  const decoded = walker.struct(value, schema);
  if (!isJsonObject(decoded)) throw new DecodeError('json: cannot unmarshal null into Go value');
  return { value: decoded, strictErrors: walker.strictErrors };
}

/**
 * Drops unknown fields of a custom resource and names them, and drops nulls where its schema does not allow them.
 * Metadata is decoded as that of built-in kinds; other types are left to schema validation. Throws DecodeError.
 */
export function decodeCustomObject(value: JsonObject, schema: StructSchema): Decoded {
  const walker = new Walker(false);
  const pruned = walker.walk(value, schema, '');
  const object = isJsonObject(pruned) ? pruned : {};
  const strictErrors = [...walker.strictErrors].sort();
  append(strictErrors, walker.embeddedErrors);
  return { value: decodeCustomMetadata(object, schema), strictErrors };
}

/** A custom resource with its metadata decoded as that of built-in kinds, and all else as it is. Throws DecodeError. */
export function decodeCustomMetadata(object: JsonObject, schema: StructSchema): JsonObject {
  const metadata = object['metadata'];
  const metadataSchema = schema.fields.get('metadata')?.schema;
  if (metadata === undefined || metadataSchema?.kind !== 'struct') return object;
  const decoded = new Walker(true).struct(metadata, metadataSchema);
  return decoded === metadata ? object : { ...object, metadata: decoded };
}

/** The answer to a body that could not be decoded: `Pod in version "v1" cannot be handled as a Pod: …`. */
export function cannotHandle(kind: string, version: string, message: string): StatusError {
  return statusErrors.badRequest(`${kind} in version ${goQuote(version)} cannot be handled as a ${kind}: ${message}`);
}

/** How unknown and duplicate fields are told when fieldValidation=Strict. */
export function strictDecodingText(strictErrors: readonly string[]): string {
  return `strict decoding error: ${strictErrors.join(', ')}`;
}

function kindOf(value: Json | undefined): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** `core.v1.PodSpec` → `PodSpec`. */
const shortName = (schema: StructSchema): string => schema.name.slice(schema.name.lastIndexOf('.') + 1);

function goType(schema: Schema): string {
  switch (schema.kind) {
    case 'struct':
      return schema.name.split('.').slice(-2).join('.');
    case 'map':
      return `map[string]${goType(schema.values)}`;
    case 'list':
      return `[]${goType(schema.items)}`;
    case 'any':
      return 'interface {}';
    default:
      if (schema.type === 'boolean') return 'bool';
      if (schema.type === 'double') return 'float64';
      if (schema.type === 'bytes') return '[]uint8';
      return schema.type;
  }
}

const OBJECT_FIELDS: readonly string[] = ['apiVersion', 'kind', 'metadata'];

class Walker {
  readonly strictErrors: string[] = [];
  /** Unknown metadata of the objects within a custom resource, which upstream looks at last. */
  readonly embeddedErrors: string[] = [];
  readonly #checkTypes: boolean;
  /** Where the walk is: `.spec`, `.containers`, `[0]`. */
  readonly #path: string[] = [];
  /** The struct fields on the way; Go's messages name neither indexes nor map keys. */
  readonly #fields: string[] = [];

  constructor(checkTypes: boolean) {
    this.#checkTypes = checkTypes;
  }

  walk(value: Json, schema: Schema, owner: string): Json {
    switch (schema.kind) {
      case 'struct':
        return this.struct(value, schema, owner);
      case 'map':
        return this.#map(value, schema, owner);
      case 'list':
        return this.#list(value, schema, owner);
      case 'any':
        return schema.prunesObjects === true ? this.#scalarsOf(value) : value;
      default:
        return this.#checkTypes ? this.#scalar(value, schema, owner) : this.#scalarsOf(value);
    }
  }

  /** A value of which the schema says nothing that would keep the fields of its objects. */
  #scalarsOf(value: Json): Json {
    if (Array.isArray(value)) return value.map((item) => this.#scalarsOf(item));
    if (!isJsonObject(value)) return value;
    for (const key of Object.keys(value)) this.#unknown(key);
    return {};
  }

  /**
   * What every object has, in an object within a custom resource: of its types, and with its metadata as soon as that is
   * named. Throws DecodeError.
   */
  #embedded(key: string, value: Json, schema: Schema): Json {
    const at = [...this.#path, `.${key}`].join('').slice(1);
    if (schema.kind !== 'struct') {
      if (typeof value === 'string' || schema.kind !== 'scalar') return value;
      throw new DecodeError(`${at}: ${fieldError.invalid(at, value, 'must be a string').body}`);
    }
    if (value === null) return {};
    try {
      const walker = new Walker(true);
      const decoded = walker.struct(value, schema, '');
      const prefix = `unknown field "${at}.`;
      for (const text of walker.strictErrors) this.embeddedErrors.push(text.replace('unknown field "', prefix));
      return decoded;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const shown = isJsonObject(value) ? new Verbatim(goSyntax(value)) : value;
      throw new DecodeError(`${at}: ${fieldError.invalid(at, shown, error.message).body}`);
    }
  }

  /** `owner` is the Go struct that holds the value, for messages. */
  struct(value: Json, schema: StructSchema, owner = ''): Json {
    if (!isJsonObject(value)) return this.#mismatch(value, schema, owner);
    const name = shortName(schema);
    const isEmbedded = schema.embedded === true && this.#path.length > 0;
    let copy: JsonObject | undefined;
    for (const key of Object.keys(value)) {
      const item = value[key];
      const field = schema.fields.get(key);
      if (field === undefined) {
        if (schema.preserveUnknown) continue;
        this.#unknown(key);
        copy ??= { ...value };
        delete copy[key];
      } else if (isEmbedded && item !== undefined && OBJECT_FIELDS.includes(key)) {
        const decoded = this.#embedded(key, item, field.schema);
        copy ??= { ...value };
        copy[key] = decoded;
      } else if (item === undefined || (item === null && this.#dropsNull(field))) {
        copy ??= { ...value };
        delete copy[key];
      } else {
        this.#path.push(`.${key}`);
        this.#fields.push(key);
        const walked = this.walk(item, field.schema, name);
        this.#path.pop();
        this.#fields.pop();
        if (walked !== item) {
          copy ??= { ...value };
          copy[key] = walked;
        }
      }
    }
    return copy ?? value;
  }

  /** Built-in kinds know absence only; custom ones keep nulls that their schema allows. */
  #dropsNull(field: FieldSchema): boolean {
    return this.#checkTypes ? field.schema.kind !== 'any' : field.nullable !== true;
  }

  #map(value: Json, schema: Schema & { kind: 'map' }, owner: string): Json {
    if (!isJsonObject(value)) return this.#mismatch(value, schema, owner);
    let copy: JsonObject | undefined;
    for (const key of Object.keys(value)) {
      const item = value[key] ?? null;
      if (item === null && !this.#checkTypes && schema.nullable !== true && schema.values.kind !== 'any') {
        copy ??= { ...value };
        delete copy[key];
        continue;
      }
      this.#path.push(`.${key}`);
      const walked = this.#orZero(item, schema.values, owner);
      this.#path.pop();
      if (walked !== item) {
        copy ??= { ...value };
        setKey(copy, key, walked);
      }
    }
    return copy ?? value;
  }

  #list(value: Json, schema: Schema & { kind: 'list' }, owner: string): Json {
    if (!Array.isArray(value)) return this.#mismatch(value, schema, owner);
    let copy: Json[] | undefined;
    for (let index = 0; index < value.length; index++) {
      const item = value[index] ?? null;
      this.#path.push(`[${index}]`);
      const walked = this.#orZero(item, schema.items, owner);
      this.#path.pop();
      if (walked !== item) {
        copy ??= [...value];
        copy[index] = walked;
      }
    }
    return copy ?? value;
  }

  /** A null inside a list or map is the zero value of what belongs there. */
  #orZero(item: Json, schema: Schema, owner: string): Json {
    if (item !== null || !this.#checkTypes) return this.walk(item, schema, owner);
    if (schema.kind === 'struct' || schema.kind === 'map') return {};
    if (schema.kind === 'list') return [];
    if (schema.kind === 'any') return null;
    if (schema.type === 'boolean') return false;
    if (schema.type === 'int32' || schema.type === 'int64' || schema.type === 'double') return 0;
    if (schema.type === 'intOrString') return 0;
    if (schema.type === 'time' || schema.type === 'microTime') return null;
    return schema.type === 'quantity' ? '0' : '';
  }

  #scalar(value: Json, schema: ScalarSchema, owner: string): Json {
    switch (schema.type) {
      case 'string':
        return typeof value === 'string' ? value : this.#mismatch(value, schema, owner);
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#mismatch(value, schema, owner);
      case 'double':
        return typeof value === 'number' ? value : this.#mismatch(value, schema, owner);
      case 'int32':
      case 'int64':
        return this.#integer(value, schema, owner);
      case 'intOrString':
        if (typeof value === 'string') return value;
        if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= INT32_MAX) return value;
        throw new DecodeError(`json: cannot unmarshal ${numberText(value)} into Go value of type int32`);
      case 'quantity':
        return quantity(value);
      case 'bytes':
        return typeof value === 'string' ? canonicalBase64(value) : this.#mismatch(value, schema, owner);
      default:
        if (typeof value !== 'string') {
          throw new DecodeError(`json: cannot unmarshal ${kindOf(value)} into Go value of type string`);
        }
        return instant(value, schema);
    }
  }

  #integer(value: Json, schema: ScalarSchema, owner: string): Json {
    if (typeof value !== 'number') return this.#mismatch(value, schema, owner);
    const limit = schema.type === 'int32' ? INT32_MAX : INT64_LIMIT;
    if (!Number.isInteger(value) || value > limit || value < -limit - 1) return this.#mismatch(value, schema, owner);
    return value === INT64_LIMIT ? INT64_MAX_DOUBLE : value;
  }

  #mismatch(value: Json, schema: Schema, owner: string): Json {
    if (!this.#checkTypes) return schema.kind === 'list' ? this.#scalarsOf(value) : value;
    const isNumber = schema.kind === 'scalar' && (schema.type === 'int32' || schema.type === 'int64');
    const text = isNumber ? numberText(value) : kindOf(value);
    const type = goType(schema);
    const target =
      owner === '' ? `value of type ${type}` : `struct field ${owner}.${this.#fields.join('.')} of type ${type}`;
    throw new DecodeError(`json: cannot unmarshal ${text} into Go ${target}`);
  }

  #unknown(key: string): void {
    if (this.strictErrors.length >= MAX_STRICT_ERRORS) return;
    this.strictErrors.push(`unknown field ${goQuote([...this.#path, `.${key}`].join('').slice(1))}`);
  }
}

/** Go names the number itself only where a number was expected. */
function numberText(value: Json): string {
  return typeof value === 'number' ? `number ${value}` : kindOf(value);
}

function quantity(value: Json): string {
  if (typeof value !== 'string' && typeof value !== 'number') throw new DecodeError(QUANTITY_FORMAT_ERROR);
  try {
    return canonicalQuantity(value);
  } catch (error) {
    throw new DecodeError(error instanceof Error ? error.message : String(error));
  }
}

/** Base64 with its padding and without line breaks, as Go writes it. */
function canonicalBase64(text: string): string {
  const compact = text.replace(/[\r\n]/g, '');
  const valid = /^[A-Za-z0-9+/]*={0,2}/.exec(compact)?.[0].length ?? 0;
  if (valid === compact.length && compact.length % 4 === 0) return compact;
  // Go points at the first strange character or, in a text cut short, at the group of four that is not complete.
  const at = valid < compact.length ? valid : compact.length - (compact.length % 4);
  throw new DecodeError(`illegal base64 data at input byte ${at}`);
}

function instant(text: string, schema: ScalarSchema): string {
  if (schema.type === 'duration') {
    const ms = parseDuration(text);
    if (ms === undefined) throw new DecodeError(`time: invalid duration ${goQuote(text)}`);
    return formatDuration(ms);
  }
  const micro = schema.type === 'microTime';
  const canonical = micro ? canonicalMicroTime(text) : canonicalTime(text);
  if (canonical !== undefined) return canonical;
  throw new DecodeError(timeErrorText(text, micro));
}
