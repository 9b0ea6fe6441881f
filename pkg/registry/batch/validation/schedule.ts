/** What is wrong with the schedule of a CronJob, in the words of robfig/cron, which upstream reads it with. */

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const FIELDS: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: MONTHS },
  { min: 0, max: 6, names: DAYS },
];

const DESCRIPTORS: ReadonlySet<string> = new Set([
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
]);

/** What is wrong; undefined when it can be followed. */
export function scheduleError(text: string): string | undefined {
  if (text === '') return 'empty spec string';
  const spec = text.replace(/^(?:TZ|CRON_TZ)=\S*\s+/, '').trim();
  if (spec.startsWith('@')) {
    if (DESCRIPTORS.has(spec)) return undefined;
    if (spec.startsWith('@every '))
      return /^@every (\d+(\.\d+)?(h|m|s|ms|us|ns))+$/.test(spec) ? undefined : `failed to parse duration ${spec}`;
    return `unrecognized descriptor: ${spec}`;
  }
  const fields = spec.split(/\s+/).filter((field) => field !== '');
  if (fields.length !== FIELDS.length) {
    return `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`;
  }
  for (const [index, bounds] of FIELDS.entries()) {
    for (const range of (fields[index] ?? '').split(',')) {
      const wrong = rangeError(range, bounds);
      if (wrong !== undefined) return wrong;
    }
  }
  return undefined;
}

function rangeError(range: string, bounds: Bounds): string | undefined {
  const [span = '', stepText, ...tooMany] = range.split('/');
  const ends = span.split('-');
  let [low, high] = [bounds.min, bounds.max];
  if (ends[0] !== '*' && ends[0] !== '?') {
    const first = numberOf(ends[0] ?? '', bounds);
    if (typeof first === 'string') return first;
    if (ends.length > 2) return `too many hyphens: ${range}`;
    const last = ends[1] === undefined ? (stepText === undefined ? first : bounds.max) : numberOf(ends[1], bounds);
    if (typeof last === 'string') return last;
    [low, high] = [first, last];
  }
  if (tooMany.length > 0) return `too many slashes: ${range}`;
  if (stepText !== undefined) {
    const step = integer(stepText);
    if (typeof step === 'string') return step;
    if (step === 0) return `step of range should be a positive number: ${range}`;
  }
  if (low < bounds.min) return `beginning of range (${low}) below minimum (${bounds.min}): ${range}`;
  if (high > bounds.max) return `end of range (${high}) above maximum (${bounds.max}): ${range}`;
  return low > high ? `beginning of range (${low}) beyond end of range (${high}): ${range}` : undefined;
}

function numberOf(text: string, { names, min }: Bounds): number | string {
  const index = names?.indexOf(text.toLowerCase()) ?? -1;
  return index >= 0 ? index + min : integer(text);
}

/** A number, or what is wrong with it. */
function integer(text: string): number | string {
  if (/^-\d+$/.test(text)) return `negative number (${text}) not allowed: ${text}`;
  if (!/^\+?\d+$/.test(text)) {
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  }
  return Number(text);
}
