/** Validation of values against the OpenAPI schema of a custom resource, in the words of upstream's kube-openapi. */

import type { JSONSchemaProps } from '../../api/generated/apiextensions-v1.ts';
import type { Json, JsonObject } from '../../api/schema.ts';
import { append } from '../append.ts';
import { deepEqual } from '../deep-equal.ts';
import { type FieldError, fieldError, Verbatim } from '../field-error.ts';
import { goQuote } from '../go-quote.ts';
import { getKey, isJsonObject } from '../json.ts';
import { hasFormat, isKnownFormat } from './formats.ts';
import { goPattern } from './go-pattern.ts';
import { additionalOf, itemsOf } from './structural-schema.ts';

/**
 * What is wrong with `value`, which stands at `path` (empty: the whole object). With `old`, the value that was there
 * before an update: what did not change is not judged again (CRDValidationRatcheting).
 */
export function validateValue(value: Json, props: JSONSchemaProps, path = '', old?: Json): FieldError[] {
  if (old !== undefined && deepEqual(value, old)) return [];
  if (value === null && props.nullable === true) return [];
  return [
    ...typeErrors(value, props, path),
    ...alternatives(value, props, path, old),
    ...scalarErrors(value, props, path),
    ...enumErrors(value, props, path),
    ...(Array.isArray(value) ? listErrors(value, props, path, old) : []),
    ...(isJsonObject(value) ? objectErrors(value, props, path, old) : []),
  ];
}

/** Numbers from here on are no int64: upstream reads them as floating point. */
const INT64_LIMIT = 2 ** 63;
const isInteger = (value: number): boolean => Number.isInteger(value) && Math.abs(value) < INT64_LIMIT;

function kindOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

const body = (path: string, what: string): string => `${path} in body ${what}`;

function typeErrors(value: Json, props: JSONSchemaProps, path: string): FieldError[] {
  const types =
    props['x-kubernetes-int-or-string'] === true ? ['integer', 'string'] : props.type ? [props.type] : undefined;
  if (types === undefined) return [];
  const kind = kindOf(value);
  const refuse = (expected: string, found: string): FieldError[] => {
    const text = body(path, `must be of type ${expected}: ${goQuote(found)}`);
    return [fieldError.typeInvalid(path, found, text)];
  };
  if (types.includes(kind) || (kind === 'integer' && types.includes('number'))) return [];
  // A format takes the place of the type, with Go's name for what is there.
  const { format } = props;
  if (
    format &&
    isKnownFormat(format, props.type) &&
    typeof value !== 'string' &&
    !Array.isArray(value) &&
    value !== null
  ) {
    return refuse(format, kind === 'integer' ? 'int64' : kind === 'number' ? 'float64' : '');
  }
  return refuse(types.join(','), kind);
}

/** allOf, anyOf, oneOf and not: upstream does not know where in the object they failed. */
function alternatives(value: Json, props: JSONSchemaProps, path: string, old: Json | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (text: string): void => {
    errors.push(fieldError.invalid('<nil>', '', `${goQuote(path)} must ${text}`));
  };
  const judge = (schemas: readonly JSONSchemaProps[]): FieldError[][] =>
    schemas.map((schema) => validateValue(value, schema, path, old));
  const anyOf = judge(props.anyOf ?? []);
  if (anyOf.length > 0 && anyOf.every((found) => found.length > 0)) {
    refuse('validate at least one schema (anyOf)');
    append(errors, fewest(anyOf));
  }
  const oneOf = judge(props.oneOf ?? []);
  const valid = oneOf.filter((found) => found.length === 0).length;
  if (oneOf.length > 0 && valid !== 1) {
    const how = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
    refuse(`validate one and only one schema (oneOf). ${how}`);
    if (valid === 0) append(errors, fewest(oneOf));
  }
  const allOf = judge(props.allOf ?? []);
  const failed = allOf.filter((found) => found.length > 0);
  append(errors, failed.flat());
  if (failed.length > 0) {
    refuse(`validate all the schemas (allOf)${failed.length === allOf.length ? '. None validated' : ''}`);
  }
  if (props.not !== undefined && validateValue(value, props.not, path, old).length === 0) {
    refuse('not validate the schema (not)');
  }
  return errors;
}

const fewest = (found: readonly FieldError[][]): FieldError[] =>
  found.reduce((best, next) => (next.length < best.length ? next : best));

function scalarErrors(value: Json, props: JSONSchemaProps, path: string): FieldError[] {
  if (typeof value === 'string') return stringErrors(value, props, path);
  return typeof value === 'number' ? numberErrors(value, props, path) : [];
}

/** Of length and pattern the first that does not hold is told, the format besides. */
function stringErrors(value: string, props: JSONSchemaProps, path: string): FieldError[] {
  const { minLength, maxLength, pattern, format } = props;
  const errors: FieldError[] = [];
  const length = [...value].length;
  if (maxLength !== undefined && length > maxLength) errors.push(fieldError.tooLong(path, maxLength));
  else if (minLength !== undefined && length < minLength) {
    errors.push(fieldError.invalid(path, value, body(path, `should be at least ${minLength} chars long`)));
  } else if (pattern && goPattern(pattern)?.test(value) === false) {
    errors.push(fieldError.invalid(path, value, body(path, `should match '${pattern}'`)));
  }
  if (format && !hasFormat(value, format)) {
    const text = body(path, `must be of type ${format}: ${goQuote(value)}`);
    errors.push(fieldError.typeInvalid(path, value, text));
  }
  return errors;
}

const RANGES: Readonly<Record<string, (value: number) => boolean>> = {
  int32: (value) => isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31,
  int64: isInteger,
  float: (value) => Number.isFinite(Math.fround(value)),
};

function numberErrors(value: number, props: JSONSchemaProps, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { minimum, maximum, multipleOf, type = '', format = '' } = props;
  const invalid = (what: string): void => {
    errors.push(fieldError.invalid(path, value, body(path, `should be ${what}`)));
  };
  const known = isKnownFormat(format, type) ? format : '';
  const inRange = RANGES[known] ?? (type === 'integer' ? isInteger : undefined);
  if (inRange !== undefined && !inRange(value)) {
    const how = known === '' ? '(default format)' : `with format ${known}`;
    errors.push(fieldError.invalid('<nil>', '', `Checked value must be of type ${type} ${how} in ${path}`));
  }
  // Upstream compares integers with integers.
  const limit = (bound: number): number => (isInteger(value) ? Math.trunc(bound) : bound);
  if (multipleOf !== undefined) {
    const factor = limit(multipleOf);
    const text = `factor MultipleOf declared for ${path} must be positive: ${factor}`;
    if (factor <= 0) errors.push(fieldError.invalid(path, factor, text));
    else if (!isMultiple(value, factor)) invalid(`a multiple of ${factor}`);
  }
  if (minimum !== undefined) {
    const least = limit(minimum);
    if (props.exclusiveMinimum === true && value <= least) invalid(`greater than ${least}`);
    else if (value < least) invalid(`greater than or equal to ${least}`);
  }
  if (maximum !== undefined) {
    const most = limit(maximum);
    if (props.exclusiveMaximum === true && value >= most) invalid(`less than ${most}`);
    else if (value > most) invalid(`less than or equal to ${most}`);
  }
  return errors;
}

/** Binary fractions are not exact: 0.3 counts as a multiple of 0.1. */
function isMultiple(value: number, of: number): boolean {
  const times = value / of;
  return Math.abs(times - Math.round(times)) < 1e-9;
}

function enumErrors(value: Json, props: JSONSchemaProps, path: string): FieldError[] {
  const allowed = props.enum as Json[] | undefined;
  if (allowed === undefined || allowed.length === 0 || allowed.some((each) => isAllowed(value, each))) return [];
  const texts = allowed.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
  return [fieldError.notSupported(path, value as never, texts)];
}

/** Upstream makes the value of the type of each that is allowed: before an integer a fraction loses its point. */
function isAllowed(value: Json, allowed: Json): boolean {
  const plain =
    typeof value === 'number' && typeof allowed === 'number' && isInteger(allowed) ? Math.trunc(value) : value;
  return deepEqual(allowed, plain);
}

function listErrors(value: readonly Json[], props: JSONSchemaProps, path: string, old: Json | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const items = itemsOf(props);
  const before = correlate(props, old);
  if (items !== undefined) {
    value.forEach((item, index) => {
      append(errors, validateValue(item, items, `${path}[${index}]`, before(item)));
    });
  }
  if (props.minItems !== undefined && value.length < props.minItems) {
    const text = body(path, `should have at least ${props.minItems} items`);
    errors.push(fieldError.invalid(path, value.length, text));
  }
  if (props.maxItems !== undefined && value.length > props.maxItems) {
    errors.push(fieldError.tooMany(path, value.length, props.maxItems));
  }
  return errors;
}

/** The item of the old list that is the same one: by its keys. Lists of other types have no such items. */
function correlate(props: JSONSchemaProps, old: Json | undefined): (item: Json) => Json | undefined {
  if (props['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return () => undefined;
  const keys = props['x-kubernetes-list-map-keys'] ?? [];
  const keyOf = (item: Json): string =>
    JSON.stringify(keys.map((key) => (isJsonObject(item) ? (getKey(item, key) ?? null) : null)));
  const byKey = new Map(old.map((item) => [keyOf(item), item]));
  return (item) => byKey.get(keyOf(item));
}

function objectErrors(value: JsonObject, props: JSONSchemaProps, path: string, old: Json | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const before = (name: string): Json | undefined => (isJsonObject(old) ? getKey(old, name) : undefined);
  const properties = props.properties ?? {};
  const additional = additionalOf(props);
  for (const name of Object.keys(value).sort()) {
    const item = value[name];
    if (item === undefined) continue;
    const schema = Object.hasOwn(properties, name) ? properties[name] : additional;
    if (schema === undefined || schema === true) continue;
    append(errors, validateValue(item, schema, at(name), before(name)));
  }
  for (const name of props.required ?? []) {
    if (getKey(value, name) === undefined) errors.push(fieldError.required(at(name)));
  }
  const count = Object.keys(value).length;
  if (props.minProperties !== undefined && count < props.minProperties) {
    const text = body(path, `should have at least ${props.minProperties} properties`);
    errors.push(fieldError.invalid(path, count, text));
  }
  if (props.maxProperties !== undefined && count > props.maxProperties) {
    errors.push(fieldError.tooMany(path, count, props.maxProperties));
  }
  return errors;
}

/** Duplicates in lists that are sets or maps (upstream's ValidateListSetsAndMaps). */
export function validateLists(value: Json, props: JSONSchemaProps, path = ''): FieldError[] {
  const errors: FieldError[] = [];
  if (Array.isArray(value)) {
    const items = itemsOf(props);
    const type = props['x-kubernetes-list-type'];
    const keys = props['x-kubernetes-list-map-keys'] ?? [];
    const seen = new Map<string, number>();
    value.forEach((item, index) => {
      const at = `${path}[${index}]`;
      const identity = type === 'map' ? identityOf(item, keys, items) : item;
      const text = goSyntax(identity);
      const count = (seen.get(text) ?? 0) + 1;
      seen.set(text, count);
      // Each is told once, however often it comes.
      if ((type === 'map' || type === 'set') && count === 2) {
        errors.push(fieldError.duplicate(at, typeof identity === 'string' ? identity : new Verbatim(text)));
      }
      if (items !== undefined) append(errors, validateLists(item, items, at));
    });
  } else if (isJsonObject(value)) {
    const additional = additionalOf(props);
    for (const name of Object.keys(value).sort()) {
      const schema = props.properties?.[name] ?? (additional === true ? undefined : additional);
      const item = value[name];
      if (schema === undefined || item === undefined) continue;
      const at = props.properties?.[name] === undefined ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
      append(errors, validateLists(item, schema, at));
    }
  }
  return errors;
}

function identityOf(item: Json, keys: readonly string[], items: JSONSchemaProps | undefined): Json {
  if (!isJsonObject(item)) return item;
  const identity: JsonObject = {};
  for (const key of keys) {
    const value = getKey(item, key) ?? (items?.properties?.[key]?.default as Json | undefined);
    if (value !== undefined) identity[key] = value;
  }
  return identity;
}

/** A value as Go's `%#v` prints it: `map[string]interface {}{"port":1}`. */
export function goSyntax(value: Json): string {
  if (value === null) return 'interface {}(nil)';
  if (typeof value === 'string') return goQuote(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (!isJsonObject(value)) return String(value);
  const entries = Object.keys(value)
    .sort()
    .map((key) => `${goQuote(key)}:${goSyntax(value[key] ?? null)}`);
  return `map[string]interface {}{${entries.join(', ')}}`;
}
