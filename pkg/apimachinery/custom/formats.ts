/** The `format`s of strings that schemas of custom resources are held to; others say nothing (kube-openapi's strfmt). */
import { parseAddress, parseCIDR } from '../../base/ip.ts';
import { parseDuration } from '../duration.ts';

const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)$/;
const UUID = (version: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i');
const HOSTNAME =
  /^(?=.{1,255}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const MAC = /^([0-9a-f]{2}[:-]){5}([0-9a-f]{2}|([0-9a-f]{2}[:-]){2}[0-9a-f]{2})$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/i;

const matches =
  (pattern: RegExp) =>
  (text: string): boolean =>
    pattern.test(text);

function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}

function isUri(text: string): boolean {
  // Go's url.ParseRequestURI: absolute, or a path.
  return /^(\/|[a-zA-Z][a-zA-Z0-9+.-]*:)[^\s]*$/.test(text);
}

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': (text) => DATE_TIME.test(text) && isDate(text.slice(0, 10)),
  datetime: (text) => DATE_TIME.test(text) && isDate(text.slice(0, 10)),
  date: isDate,
  duration: (text) =>
    parseDuration(text) !== undefined || /^\d+ ?(ns|us|µs|ms|s|sec|m|min|h|hours?|d|days?|w|weeks?)$/.test(text),
  ipv4: (text) => parseAddress(text)?.family === 4,
  ipv6: (text) => parseAddress(text)?.family === 6,
  cidr: (text) => parseCIDR(text) !== undefined,
  uri: isUri,
  hostname: matches(HOSTNAME),
  email: matches(/^[^\s@<>]+@[^\s@<>]+$/),
  mac: matches(MAC),
  uuid: matches(UUID('[0-9a-f]')),
  uuid3: matches(UUID('3')),
  uuid4: matches(UUID('4')),
  uuid5: matches(UUID('5')),
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/),
  hexcolor: matches(/^#?([0-9a-f]{3}|[0-9a-f]{6})$/i),
};

/** Whether `text` has the form that `format` names. */
export function hasFormat(text: string, format: string): boolean {
  return Object.hasOwn(FORMATS, format) ? (FORMATS[format]?.(text) ?? true) : true;
}
