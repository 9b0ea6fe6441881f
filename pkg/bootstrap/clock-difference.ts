/** What answers and their way may take, and clocks that are set by hand: not worth a word. */
const TOLERATED_MS = 60_000;

/** `2 h 5 min behind` or `3 min ahead of`; undefined when `own` and `other` (ms since the epoch) are near enough. */
export function clockDifference(own: number, other: number): string | undefined {
  const difference = Math.abs(own - other);
  if (difference <= TOLERATED_MS) return undefined;
  const minutes = Math.round(difference / 60_000);
  const parts = [
    [Math.floor(minutes / 1440), 'd'],
    [Math.floor(minutes / 60) % 24, 'h'],
    [minutes % 60, 'min'],
  ] as const;
  const text = parts.flatMap(([count, unit]) => (count === 0 ? [] : [`${count} ${unit}`])).join(' ');
  return `${text} ${own < other ? 'behind' : 'ahead of'}`;
}
