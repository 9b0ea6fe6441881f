/** Prometheus' text exposition format, version 0.0.4: what every `/metrics` path answers with. */
export const METRICS_TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricType = 'counter' | 'gauge' | 'histogram';

export type MetricLabels = Readonly<Record<string, string>>;

/** One value; `at` is its time in milliseconds since the epoch, for values that were not measured just now. */
export interface MetricSample {
  readonly labels?: MetricLabels;
  readonly value: number;
  readonly at?: number | undefined;
  /** Of the series that make up a histogram: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
}

const escapeLabel = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');

function labelText(labels: MetricLabels | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** One metric with all its samples; the empty text when it has none. */
export function metricText(name: string, type: MetricType, help: string, samples: Iterable<MetricSample>): string {
  const lines: string[] = [];
  for (const { labels, value, at, suffix = '' } of samples) {
    const time = at === undefined ? '' : ` ${Math.round(at)}`;
    lines.push(`${name}${suffix}${labelText(labels)} ${value}${time}\n`);
  }
  return lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

export interface ParsedSample {
  readonly name: string;
  readonly labels: MetricLabels;
  readonly value: number;
  /** Milliseconds since the epoch, where the text says it. */
  readonly at: number | undefined;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+(-?\d+))?\s*$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of a text for which `wanted` says yes; lines that are no samples are passed over. */
export function parseMetricsText(text: string, wanted: (name: string) => boolean): ParsedSample[] {
  const samples: ParsedSample[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = LINE.exec(line);
    const [, name = '', pairs = '', value = '', at] = match ?? [];
    if (match === null || !wanted(name)) continue;
    const labels: Record<string, string> = {};
    for (const [, label = '', escaped = ''] of pairs.matchAll(LABEL)) {
      labels[label] = escaped.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
    }
    samples.push({ name, labels, value: Number(value), at: at === undefined ? undefined : Number(at) });
  }
  return samples;
}
