/** Schedules of CronJobs: the five fields of cron, and the shorthands `@hourly`, `@every 90m` and their like. */
import { Cron } from 'croner';
import { parseDuration } from './duration.ts';
import { goQuote } from './go-quote.ts';

export interface CronSchedule {
  /** The first time after `ms` (both milliseconds since the epoch); undefined when there is none, as for 31 February. */
  next(ms: number): number | undefined;
}

const SHORTHANDS = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);
const EVERY = '@every ';
/** Names of months and days beside cron's own signs; what other dialects add (`L`, `W`, `#`) is not understood. */
const FIELD = /^(?:[\d*?,/-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)+$/i;

/**
 * Reads `text` as upstream's robfig/cron does. Times are those of `timeZone` (an IANA name), else of the machine.
 * Throws an Error that says what is wrong.
 */
export function parseCronSchedule(text: string, timeZone?: string): CronSchedule {
  const trimmed = text.trim();
  if (trimmed === '') throw new Error('empty spec string');
  if (trimmed.startsWith(EVERY)) return every(trimmed);
  if (trimmed.startsWith('@') && !SHORTHANDS.has(trimmed.toLowerCase())) {
    throw new Error(`unrecognized descriptor: ${trimmed}`);
  }
  const fields = trimmed.split(/\s+/);
  if (!trimmed.startsWith('@')) {
    if (fields.length !== 5) {
      throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
    }
    const odd = fields.find((field) => !FIELD.test(field));
    if (odd !== undefined)
      throw new Error(`failed to parse int from ${odd}: strconv.Atoi: parsing ${goQuote(odd)}: invalid syntax`);
  }
  // A question mark means any; to the library it would mean now.
  const pattern = fields.join(' ').replaceAll('?', '*');
  const cron = new Cron(pattern, {
    paused: true,
    sloppyRanges: true,
    ...(trimmed.startsWith('@') ? {} : { mode: '5-part' as const }),
    ...(timeZone === undefined ? {} : { timezone: timeZone }),
  });
  return { next: (ms) => cron.nextRun(new Date(ms))?.getTime() };
}

/** A fixed delay, in whole seconds and at least one. */
function every(text: string): CronSchedule {
  const duration = text.slice(EVERY.length);
  const delay = parseDuration(duration);
  if (delay === undefined) {
    throw new Error(`failed to parse duration ${text}: time: invalid duration ${goQuote(duration)}`);
  }
  const whole = Math.max(1000, Math.floor(delay / 1000) * 1000);
  return { next: (ms) => Math.floor(ms / 1000) * 1000 + whole };
}

/** Whether `name` is a time zone this machine knows, in its own letters; an offset is no name. */
export function isTimeZone(name: string): boolean {
  if (/^[+-]/.test(name)) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
