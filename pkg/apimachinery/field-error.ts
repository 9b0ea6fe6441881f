/**
 * What validation finds wrong with a field, with the reasons and texts of upstream's `field.Error`. A list of them
 * becomes one `Invalid` StatusError (status-error.ts).
 */
import type { Json } from '../api/schema.ts';
import type { FieldPath } from './field-path.ts';
import { goQuote } from './go-quote.ts';

/** The machine-readable reason; each becomes the `reason` of a Status cause. */
export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooShort'
  | 'FieldValueTooMany'
  | 'FieldValueTooFew'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

export interface FieldError {
  readonly type: FieldErrorType;
  /** The field's path as text. */
  readonly field: string;
  /** The error without the path: `Invalid value: "x": must be …`. */
  readonly body: string;
}

const TEXTS: Readonly<Record<FieldErrorType, string>> = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooShort: 'Too short',
  FieldValueTooMany: 'Too many',
  FieldValueTooFew: 'Too few',
  FieldValueTypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
};

/** A bad value whose text is already in its final form, where upstream prints a Go notation (`0x0`). */
export class Verbatim {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A string map as upstream prints it in messages: `map[string]string{"a":"b"}`, keys sorted. */
export function goStringMap(map: Readonly<Record<string, string>> | undefined): Verbatim {
  if (map === undefined) return new Verbatim('map[string]string(nil)');
  const entries = Object.keys(map)
    .sort()
    .map((key) => `${goQuote(key)}:${goQuote(map[key] ?? '')}`);
  return new Verbatim(`map[string]string{${entries.join(', ')}}`);
}

/** A string list as upstream prints it in messages: `[]string{"a", "b"}`. */
export function goStringSlice(list: readonly string[] | undefined): Verbatim {
  return goSlice('string', list);
}

/** The same of a type that is a string: `[]networking.PolicyType{"Ingress"}`. */
export function goSlice(type: string, list: readonly string[] | undefined): Verbatim {
  return new Verbatim(`[]${type}${list === undefined ? '(nil)' : `{${list.map(goQuote).join(', ')}}`}`);
}

/** A list of numbers, likewise: `[]int32{1, 2}`. */
export function goNumberSlice(list: readonly number[] | undefined): Verbatim {
  return new Verbatim(list === undefined ? '[]int32(nil)' : `[]int32{${list.join(', ')}}`);
}

/** A time as upstream prints it in messages: `2026-01-31 12:00:00 +0000 UTC`. */
export function goTime(time: string | null | undefined): Verbatim | undefined {
  if (!time) return undefined;
  const [date, clock] = new Date(time).toISOString().split(/[T.]/);
  return new Verbatim(`${date} ${clock} +0000 UTC`);
}

export type BadValue = Json | undefined | Verbatim;

/** Strings are quoted, numbers and booleans plain, an absent value is `"null"`, composites are JSON. */
function valueText(value: BadValue): string {
  if (value instanceof Verbatim) return value.text;
  if (value === undefined || value === null) return '"null"';
  if (typeof value === 'string') return goQuote(value);
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

type Path = FieldPath | string;

function make(type: FieldErrorType, path: Path, value: BadValue, detail: string, omitValue = false): FieldError {
  const head = omitValue ? TEXTS[type] : `${TEXTS[type]}: ${valueText(value)}`;
  return { type, field: path.toString(), body: detail === '' ? head : `${head}: ${detail}` };
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Constructors, named as upstream's. `path` is where, `value` what was found there, `detail` what is wrong with it. */
export const fieldError = {
  required: (path: Path, detail = ''): FieldError => make('FieldValueRequired', path, '', detail, true),
  invalid: (path: Path, value: BadValue, detail: string): FieldError => make('FieldValueInvalid', path, value, detail),
  /** Something about the whole value, which is not printed. */
  invalidWhole: (path: Path, detail: string): FieldError => make('FieldValueInvalid', path, '', detail, true),
  typeInvalid: (path: Path, value: BadValue, detail: string): FieldError =>
    make('FieldValueTypeInvalid', path, value, detail),
  forbidden: (path: Path, detail: string): FieldError => make('FieldValueForbidden', path, '', detail, true),
  duplicate: (path: Path, value: BadValue): FieldError => make('FieldValueDuplicate', path, value, ''),
  notFound: (path: Path, value: BadValue): FieldError => make('FieldValueNotFound', path, value, ''),
  /** `supported` is printed in the given order. */
  notSupported: (path: Path, value: BadValue, supported: readonly string[]): FieldError =>
    make(
      'FieldValueNotSupported',
      path,
      value,
      supported.length === 0 ? '' : `supported values: ${supported.map(goQuote).join(', ')}`,
    ),
  /** `maxLength` in bytes; negative when the limit has no number. */
  tooLong: (path: Path, maxLength: number): FieldError =>
    make(
      'FieldValueTooLong',
      path,
      '',
      maxLength < 0 ? 'value is too long' : `may not be more than ${plural(maxLength, 'byte')}`,
      true,
    ),
  tooLongCharacters: (path: Path, maxLength: number): FieldError =>
    make('FieldValueTooLong', path, '', `may not be more than ${plural(maxLength, 'character')}`, true),
  tooShort: (path: Path, minLength: number): FieldError =>
    make('FieldValueTooShort', path, '', `must be at least ${plural(minLength, 'character')}`, true),
  tooMany: (path: Path, actual: number, max: number): FieldError =>
    make('FieldValueTooMany', path, actual, `must have at most ${plural(max, 'item')}`, actual < 0),
  tooFew: (path: Path, actual: number, min: number): FieldError =>
    make('FieldValueTooFew', path, actual, `must have at least ${plural(min, 'item')}`, actual < 0),
  internal: (path: Path, message: string): FieldError => make('InternalError', path, '', message, true),
};

/** `spec.name: Required value`. */
export function fieldErrorText(error: FieldError): string {
  return `${error.field}: ${error.body}`;
}

/** Several errors as one text: equal ones once, more than one in brackets. */
export function aggregateText(texts: Iterable<string>): string {
  const distinct = [...new Set(texts)];
  return distinct.length === 1 ? (distinct[0] ?? '') : `[${distinct.join(', ')}]`;
}
