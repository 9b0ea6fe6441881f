/** Times in the API's two forms: `Time` with seconds, `MicroTime` with six digits of fraction, both in UTC. */

import { goQuote } from './go-quote.ts';

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** `2006-01-02T15:04:05Z`; `ms` since the epoch, fractions of a second are cut off. */
export function formatTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== latest.second) {
    latest = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  }
  return latest.text;
}

/** Almost all that is formatted is the present: what was told last is remembered. */
let latest = { second: 0, text: '1970-01-01T00:00:00Z' };

/** `2006-01-02T15:04:05.000000Z`; `ms` since the epoch, with a fraction for microseconds. */
export function formatMicroTime(ms: number): string {
  const micros = Math.floor(ms * 1000);
  const seconds = Math.floor(micros / 1e6);
  const fraction = String(micros - seconds * 1e6).padStart(6, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** Milliseconds since the epoch (with a fraction for microseconds); undefined when absent or no RFC 3339 time. */
export function parseTime(text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  // Objects of the same second tend to stand together, and their times are parsed as often as they are sent.
  if (text === latestParsed.text) return latestParsed.ms;
  const ms = parsedTime(text);
  if (text.length <= REMEMBERED_LENGTH) latestParsed = { text, ms };
  return ms;
}

const REMEMBERED_LENGTH = 40;
let latestParsed: { readonly text: string; readonly ms: number | undefined } = { text: '', ms: undefined };

function parsedTime(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const seconds = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`);
  if (Number.isNaN(seconds)) return undefined;
  // Date.parse lets the 31st of April pass as the 1st of May.
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (Number(day) > lastDay) return undefined;
  return seconds + Number(`0.${fraction || '0'}`) * 1000;
}

/** The stored form of a `Time` that a client sent; undefined when it is not an RFC 3339 time. */
export function canonicalTime(text: string): string | undefined {
  const ms = parseTime(text);
  return ms === undefined ? undefined : formatTime(ms);
}

/** The stored form of a `MicroTime`, which has to bring exactly six digits of fraction. */
export function canonicalMicroTime(text: string): string | undefined {
  const digits = /\.(\d{6})(?=Z|[+-])/.exec(text)?.[1];
  const ms = digits === undefined ? undefined : parseTime(text.replace(`.${digits}`, ''));
  return ms === undefined ? undefined : `${new Date(ms).toISOString().slice(0, 19)}.${digits}Z`;
}

/** The parts of a time in Go's layout notation, each with what matches it. */
const LAYOUT: readonly (readonly [string, RegExp])[] = [
  ['2006', /^\d{4}/],
  ['-', /^-/],
  ['01', /^\d\d/],
  ['-', /^-/],
  ['02', /^\d\d/],
  ['T', /^T/],
  ['15', /^\d\d/],
  [':', /^:/],
  ['04', /^\d\d/],
  [':', /^:/],
  ['05', /^\d\d/],
];

/** Why a text is no time, in the words of Go's parser: the first part of the layout that does not match. */
export function timeErrorText(text: string, micro: boolean): string {
  const fraction = micro ? (['.000000', /^\.\d{6}/] as const) : (['', /^(?:[.,]\d+)?/] as const);
  const layout = `2006-01-02T15:04:05${fraction[0]}Z07:00`;
  let rest = text;
  for (const [part, pattern] of [...LAYOUT, fraction, ['Z07:00', /^(?:Z|[+-]\d\d:\d\d)/] as const]) {
    const match = pattern.exec(rest);
    if (match === null) {
      return `parsing time ${goQuote(text)} as ${goQuote(layout)}: cannot parse ${goQuote(rest)} as ${goQuote(part)}`;
    }
    rest = rest.slice(match[0].length);
  }
  if (rest !== '') return `parsing time ${goQuote(text)}: extra text: ${goQuote(rest)}`;
  const month = Number(text.slice(5, 7));
  return `parsing time ${goQuote(text)}: ${month < 1 || month > 12 ? 'month' : rangePart(text)} out of range`;
}

function rangePart(text: string): string {
  if (Number(text.slice(11, 13)) > 23) return 'hour';
  if (Number(text.slice(14, 16)) > 59) return 'minute';
  return Number(text.slice(17, 19)) > 59 ? 'second' : 'day';
}
