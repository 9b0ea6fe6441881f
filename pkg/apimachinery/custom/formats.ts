/** The `format`s of strings that schemas of custom resources are held to; others say nothing (kube-openapi's strfmt). */
import { parseAddress, parseCIDR } from '../../base/ip.ts';
import { parseDuration } from '../duration.ts';
import { isDns1123Label, isDns1123Subdomain } from '../names.ts';

const TIME = /^(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)$/;
const UUID = (third: string, fourth = '[0-9a-f]'): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}[0-9a-f]{3}-?${fourth}[0-9a-f]{3}-?[0-9a-f]{12}$`, 'i');
/** A single label, or several of which the last has letters only. */
const HOSTNAME =
  /^(?:[a-zA-Z0-9\p{S}\p{L}](?:-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?|(?:[a-zA-Z0-9\p{S}\p{L}](?:[a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?\.)+[a-zA-Z\p{L}]{2,63})$/u;
const MAC = /^([0-9a-f]{2}[:-]){5}([0-9a-f]{2}|([0-9a-f]{2}[:-]){2}[0-9a-f]{2})$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/i;
const CARD =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/;
const COLOR = '(\\d{1,2}|1\\d\\d|2[0-4]\\d|25[0-5])';
const RGB = new RegExp(`^rgb\\(\\s*${COLOR}\\s*,\\s*${COLOR}\\s*,\\s*${COLOR}\\s*\\)$`);

const matches =
  (pattern: RegExp) =>
  (text: string): boolean =>
    pattern.test(text);

function isDate(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00Z`) : undefined;
  return time !== undefined && !Number.isNaN(time.valueOf()) && time.toISOString().startsWith(text);
}

const isTime = (text: string): boolean => isDate(TIME.exec(text)?.[1] ?? '');

function isUri(text: string): boolean {
  // Go's url.ParseRequestURI: absolute, or a path.
  return /^(\/|[a-zA-Z][a-zA-Z0-9+.-]*:)[^\s]*$/.test(text) && !/\[[^\]]*$/.test(text);
}

/** Go's net.ParseIP as Kubernetes keeps it: parts of an IPv4 address may begin with zeros. */
const withoutZeros = (text: string): string => text.replace(/(^|\.)0+(?=\d)/g, '$1');
const isIPv4 = (text: string): boolean =>
  parseAddress(withoutZeros(text.replace(/^::ffff:(?=\d+\.)/i, '')))?.family === 4;

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '');
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = [...digits].reduce(
    (total, digit, index) => total + (index + 1) * (digit === 'X' ? 10 : Number(digit)),
    0,
  );
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '');
  if (!/^\d{13}$/.test(digits)) return false;
  return [...digits].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

/** A card's number has a digit at the end that its others determine (Luhn). */
function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D/g, '');
  if (!CARD.test(digits)) return false;
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const weighed = Number(digit) * (index % 2 === 0 ? 1 : 2);
    return total + (weighed > 9 ? weighed - 9 : weighed);
  }, 0);
  return sum % 10 === 0;
}

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': isTime,
  datetime: isTime,
  date: isDate,
  duration: (text) =>
    parseDuration(text) !== undefined || /^\d+ ?(ns|us|µs|ms|s|sec|m|min|h|hours?|d|days?|w|weeks?)$/.test(text),
  ipv4: isIPv4,
  ipv6: (text) => text.includes(':') && parseAddress(text)?.family === 6,
  cidr: (text) => parseCIDR(withoutZeros(text)) !== undefined,
  uri: isUri,
  hostname: (text) => text.length <= 255 && HOSTNAME.test(text) && text.split('.').every((part) => part.length <= 63),
  email: matches(/^([^\s@<>]+@[^\s@<>]+|[^@<>]*<[^\s@<>]+@[^\s@<>]+>)$/),
  mac: matches(MAC),
  uuid: matches(UUID('[0-9a-f]')),
  uuid3: matches(UUID('3')),
  uuid4: matches(UUID('4', '[89ab]')),
  uuid5: matches(UUID('5', '[89ab]')),
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$/),
  hexcolor: matches(/^#?([0-9a-f]{3}|[0-9a-f]{6})$/i),
  rgbcolor: matches(RGB),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  bsonobjectid: matches(/^[0-9a-f]{24}$/i),
  'k8s-short-name': (text) => isDns1123Label(text).length === 0,
  'k8s-long-name': (text) => isDns1123Subdomain(text).length === 0,
  password: () => true,
};

const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  integer: ['int32', 'int64'],
  number: ['float', 'double'],
};

/** Whether upstream knows the format for values of the type. */
export function isKnownFormat(format: string, type = ''): boolean {
  if (type !== '' && type !== 'string') return NUMBERS[type]?.includes(format) ?? false;
  return [format, format.replaceAll('-', '')].some((name) => Object.hasOwn(FORMATS, name));
}

/** Whether `text` has the form that `format` names. */
export function hasFormat(text: string, format: string): boolean {
  return Object.hasOwn(FORMATS, format) ? (FORMATS[format]?.(text) ?? true) : true;
}
