/** One figure that a benchmark came to. */
export interface Figure {
  readonly what: string;
  /** With its unit. */
  readonly measured: string;
  /** What is aimed at, when there is an aim. */
  readonly target?: string;
}

/** What a module in test/bench/ exports as `benchmark`. */
export interface Benchmark {
  readonly name: string;
  run(): Promise<readonly Figure[]>;
}

/** The middle of `values`, and the one that 99 of 100 do not exceed. */
export function percentiles(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** The figures as a Markdown table; padded, so that it can also be read as it is. */
export function figureTable(figures: readonly Figure[]): string {
  const rows = [['figure', 'measured', 'target'], ...figures.map((row) => [row.what, row.measured, row.target ?? ''])];
  const widths = [0, 1, 2].map((column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

/** The sections of a page of figures, by their headings. */
export function readSections(page: string): Map<string, string> {
  const [, ...sections] = page.split(/^## /m);
  return new Map(
    sections.map((section) => {
      const end = section.indexOf('\n');
      return [section.slice(0, end), section.slice(end).trim()];
    }),
  );
}

/** A page with those of `sections` that are in `order`. */
export function writeSections(
  heading: string,
  order: readonly string[],
  sections: ReadonlyMap<string, string>,
): string {
  const parts = order.flatMap((name) => {
    const section = sections.get(name);
    return section === undefined ? [] : [`## ${name}\n\n${section}`];
  });
  return `${[heading, ...parts].join('\n\n')}\n`;
}
