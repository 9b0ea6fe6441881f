/** Durations in Go's notation (`1h2m3.5s`), as metav1.Duration and many flags carry them. */

const UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Milliseconds of a duration such as `90s`, `-1.5h` or `1m30s`; undefined for other text. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return undefined;
  let ms = 0;
  for (const [, number, unit] of (match[2] ?? '').matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g)) {
    ms += Number(number) * (UNITS.get(unit ?? '') ?? 0);
  }
  return match[1] === '-' ? -ms : ms;
}

/** The duration in Go's notation: `1h0m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(ms: number): string {
  const nanos = Math.round(Math.abs(ms) * 1e6);
  if (nanos === 0) return '0s';
  const sign = ms < 0 ? '-' : '';
  const decimal = (value: number, digits: number): string => {
    const text = value.toFixed(digits);
    return digits === 0 ? text : text.replace(/\.?0+$/, '');
  };
  if (nanos < 1e3) return `${sign}${nanos}ns`;
  if (nanos < 1e6) return `${sign}${decimal(nanos / 1e3, 3)}µs`;
  if (nanos < 1e9) return `${sign}${decimal(nanos / 1e6, 6)}ms`;
  const totalSeconds = Math.floor(nanos / 1e9);
  const fraction = String(nanos % 1e9)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const seconds = `${totalSeconds % 60}${fraction === '' ? '' : `.${fraction}`}s`;
  const minutes = Math.floor(totalSeconds / 60);
  if (minutes === 0) return `${sign}${seconds}`;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60}m${seconds}`;
}
