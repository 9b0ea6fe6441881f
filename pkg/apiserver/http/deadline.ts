import { parseDuration } from '../../apimachinery/duration.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';

const NANOSECOND = 1e-6;

/**
 * How long a request may take, ms: what its `timeout` parameter says, but never longer than `most`. Throws BadRequest
 * for a parameter that is no duration.
 */
export function timeLimit(query: URLSearchParams, most: number): number {
  const text = query.get('timeout') ?? '';
  if (text === '') return most;
  const asked = parseDuration(text);
  if (asked === undefined) {
    throw statusErrors.badRequest(`invalid timeout specified in the request URL - ${durationErrorText(text)}`);
  }
  // Durations count nanoseconds: less than one is none, which asks for nothing.
  return asked >= NANOSECOND ? Math.min(asked, most) : most;
}

/** What Go's time.ParseDuration says of a text it cannot read. */
function durationErrorText(text: string): string {
  if (/^[+-]?\d+(\.\d*)?$/.test(text)) return `time: missing unit in duration ${goQuote(text)}`;
  const unit = /^[+-]?\d+(?:\.\d*)?([^\d.]+)/.exec(text)?.[1];
  if (unit !== undefined) return `time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`;
  return `time: invalid duration ${goQuote(text)}`;
}
