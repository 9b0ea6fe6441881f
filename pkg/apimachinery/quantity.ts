/**
 * Amounts of resources (`100m`, `1.5Gi`, `2e3`), exact down to the smallest unit there is, a billionth. Parsing,
 * canonical text and arithmetic follow k8s.io/apimachinery/pkg/api/resource.
 */

export type QuantityFormat = 'decimalSI' | 'binarySI' | 'decimalExponent';

const NANO = 1_000_000_000n;
const KIBI = 1024n;
/** Binary quantities are capped at what fits 63 bits. */
const MAX_BINARY = ((1n << 63n) - 1n) * NANO;

const DECIMAL_SUFFIXES: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const DECIMAL_BY_EXPONENT: ReadonlyMap<number, string> = new Map(
  [...DECIMAL_SUFFIXES].map(([suffix, exponent]) => [exponent, suffix]),
);
const BINARY_SUFFIXES: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

export const QUANTITY_FORMAT_ERROR =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const SUFFIX_ERROR = "unable to parse quantity's suffix";
const NUMBER_ERROR = 'unable to parse numeric part of quantity';

const SYNTAX = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;

/** The greatest exponent accepted: larger amounts overflow every consumer, and 10^exponent must stay small. */
const MAX_EXPONENT = 64;

/** An immutable amount. */
export class Quantity {
  /** The amount in billionths. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
  /** The text it was read from, where that is canonical already. */
  readonly #text: string | undefined;

  constructor(nanos: bigint, format: QuantityFormat = 'decimalSI', text?: string) {
    this.nanos = nanos;
    this.format = format;
    this.#text = text;
  }

  /** A whole number of units (bytes, cores). */
  static of(units: number | bigint, format: QuantityFormat = 'decimalSI'): Quantity {
    return new Quantity(BigInt(units) * NANO, format);
  }

  /** A number of thousandths (millicores). */
  static ofMilli(milli: number, format: QuantityFormat = 'decimalSI'): Quantity {
    return new Quantity(BigInt(milli) * 1_000_000n, format);
  }

  get isZero(): boolean {
    return this.nanos === 0n;
  }

  /** Whole units, rounded away from zero; exact up to 2^53. */
  value(): number {
    return Number(divideAwayFromZero(this.nanos, NANO));
  }

  /** Thousandths, rounded away from zero; exact up to 2^53. */
  milliValue(): number {
    return Number(divideAwayFromZero(this.nanos, 1_000_000n));
  }

  /** The amount as a float, for ratios. */
  toNumber(): number {
    return Number(this.nanos) / 1e9;
  }

  /** Negative, zero or positive as this is less than, equal to or more than `other`. */
  compare(other: Quantity): number {
    return this.nanos < other.nanos ? -1 : this.nanos > other.nanos ? 1 : 0;
  }

  /** The sum, in this quantity's format unless this is zero. */
  add(other: Quantity): Quantity {
    return new Quantity(this.nanos + other.nanos, this.isZero ? other.format : this.format);
  }

  sub(other: Quantity): Quantity {
    return new Quantity(this.nanos - other.nanos, this.isZero ? other.format : this.format);
  }

  /** The next whole number of thousandths, away from zero. */
  roundUpToMilli(): Quantity {
    return new Quantity(divideAwayFromZero(this.nanos, 1_000_000n) * 1_000_000n, this.format);
  }

  negate(): Quantity {
    return new Quantity(-this.nanos, this.format);
  }

  /** The canonical text: no fraction, the greatest suffix that leaves a whole number. */
  toString(): string {
    return this.#text ?? canonicalText(this.nanos, this.format);
  }

  toJSON(): string {
    return this.toString();
  }
}

function divideAwayFromZero(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  if (quotient * by === value) return quotient;
  return value < 0n ? quotient - 1n : quotient + 1n;
}

function canonicalText(nanos: bigint, format: QuantityFormat): string {
  if (nanos === 0n) return '0';
  if (format === 'binarySI') {
    const limit = KIBI * NANO;
    if (nanos % NANO === 0n && (nanos <= -limit || nanos >= limit)) {
      let mantissa = nanos / NANO;
      let power = 0;
      while (power < BINARY_SUFFIXES.length - 1 && mantissa % KIBI === 0n) {
        mantissa /= KIBI;
        power++;
      }
      return `${mantissa}${BINARY_SUFFIXES[power]}`;
    }
  }
  let mantissa = nanos;
  let exponent = -9;
  while (mantissa % 1000n === 0n && (format === 'decimalExponent' || exponent < 18)) {
    mantissa /= 1000n;
    exponent += 3;
  }
  if (format === 'decimalExponent') return exponent === 0 ? String(mantissa) : `${mantissa}e${exponent}`;
  return `${mantissa}${DECIMAL_BY_EXPONENT.get(exponent) ?? ''}`;
}

interface Suffix {
  readonly format: QuantityFormat;
  /** Power of ten, or of two for binarySI. */
  readonly exponent: number;
}

function parseSuffix(text: string): Suffix | undefined {
  const decimal = DECIMAL_SUFFIXES.get(text);
  if (decimal !== undefined) return { format: 'decimalSI', exponent: decimal };
  const binary = BINARY_SUFFIXES.indexOf(text);
  if (binary > 0) return { format: 'binarySI', exponent: binary * 10 };
  const scientific = /^[eE]([-+]?\d+)$/.exec(text);
  if (scientific === null) return undefined;
  return { format: 'decimalExponent', exponent: Number(scientific[1]) };
}

/** Reads a quantity; throws an Error with upstream's text when it is none. */
export function parseQuantity(text: string): Quantity {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const quantity = readQuantity(text);
  if (remembered.size < REMEMBERED && text.length <= REMEMBERED_LENGTH) remembered.set(text, quantity);
  return quantity;
}

/** Objects of a cluster say the same few quantities; more than this many are not remembered. */
const REMEMBERED = 500;
const REMEMBERED_LENGTH = 20;
const remembered = new Map<string, Quantity>();

function readQuantity(text: string): Quantity {
  if (text === '0') return new Quantity(0n, 'decimalSI', text);
  const match = text === '' ? null : SYNTAX.exec(text);
  if (match === null) throw new Error(QUANTITY_FORMAT_ERROR);
  const [, sign = '', whole = '', fraction = '', suffixText = ''] = match;
  const suffix = parseSuffix(suffixText);
  if (suffix === undefined) throw new Error(SUFFIX_ERROR);
  if (whole === '' && fraction === '' && suffixText !== '') throw new Error(NUMBER_ERROR);
  const { exponent } = suffix;
  if (Math.abs(exponent) > MAX_EXPONENT && suffix.format !== 'binarySI') throw new Error(NUMBER_ERROR);

  const digits = BigInt(`0${whole}${fraction}`);
  let nanos: bigint;
  if (suffix.format === 'binarySI') {
    nanos = divideAwayFromZero((digits << BigInt(exponent)) * NANO, 10n ** BigInt(fraction.length));
  } else {
    const scale = exponent - fraction.length + 9;
    nanos = scale >= 0 ? digits * 10n ** BigInt(scale) : divideAwayFromZero(digits, 10n ** BigInt(-scale));
  }
  let { format } = suffix;
  if (format === 'binarySI') {
    if (nanos > MAX_BINARY) nanos = MAX_BINARY;
    if (nanos > 0n && nanos < NANO) format = 'decimalSI';
  }
  if (sign === '-') nanos = -nanos;
  const kept = keepsText(whole.replace(/^0+/, ''), fraction, suffix, digits) ? text : undefined;
  return new Quantity(nanos, format, kept);
}

/** Whether upstream takes the text as canonical without looking closer; it has to survive as it was written. */
function keepsText(whole: string, fraction: string, { format, exponent }: Suffix, digits: bigint): boolean {
  if (format === 'binarySI') {
    const precision = 15 - whole.length - Math.trunc((exponent * 3) / 10) - 1;
    return fraction === '' && precision >= 0 && (digits & 7n) !== 0n;
  }
  const shifted = whole + fraction;
  const scale = exponent - fraction.length;
  if (shifted.length > 18 || scale < -9 || shifted === '') return false;
  return scale % 3 === 0 && !shifted.endsWith('000') && !shifted.startsWith('0');
}

/** The canonical text of a quantity that a client sent as string or number; throws as parseQuantity does. */
export function canonicalQuantity(value: string | number): string {
  const text = typeof value === 'number' ? String(value) : value.trim();
  return parseQuantity(text).toString();
}

/** The larger of two. */
export const maxQuantity = (a: Quantity, b: Quantity): Quantity => (a.compare(b) >= 0 ? a : b);
