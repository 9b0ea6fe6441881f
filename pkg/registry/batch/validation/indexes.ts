/** Lists of indexes of Jobs: `1,3-5,7`. */
import { goQuote } from '../../../apimachinery/go-quote.ts';

type Interval = readonly [first: number, last: number];

const outOfOrder = (previous: number, current: number): string =>
  `non-increasing order, previous: ${previous}, current: ${current}`;

/** One part of the list, or what is wrong with it. */
function interval(text: string, completions: number): Interval | string {
  const parts = text.split('-');
  if (parts.length > 2) {
    return `the fragment ${goQuote(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  }
  const numbers: number[] = [];
  for (const part of parts) {
    if (!/^[+-]?\d+$/.test(part)) return `cannot convert string to integer for index: ${goQuote(part)}`;
    if (Number(part) >= completions) return `too large index: ${goQuote(part)}`;
    numbers.push(Number(part));
  }
  const [first = 0, last = first] = numbers;
  return parts.length === 2 && first >= last ? outOfOrder(first, last) : [first, last];
}

/** How many indexes the list names, or what is wrong with it (upstream: validateIndexesFormat). */
export function countIndexes(text: string, completions: number): number | string {
  let total = 0;
  let previous: number | undefined;
  for (const part of text === '' ? [] : text.split(',')) {
    const found = interval(part, completions);
    if (typeof found === 'string') return found;
    const [first, last] = found;
    if (previous !== undefined && previous >= first) return outOfOrder(previous, first);
    total += last - first + 1;
    previous = last;
  }
  return total;
}

/** The first index that is in both lists; parts that cannot be read are passed over. */
export function commonIndex(one: string, other: string, completions: number): number | undefined {
  const read = (text: string): Interval[] =>
    text.split(',').flatMap((part) => {
      const found = interval(part, completions);
      return typeof found === 'string' ? [] : [found];
    });
  const [left, right] = [read(one), read(other)];
  for (let a = 0, b = 0; ; ) {
    const [mine, theirs] = [left[a], right[b]];
    if (mine === undefined || theirs === undefined) return undefined;
    if (mine[0] <= theirs[1] && theirs[0] <= mine[1]) return Math.max(mine[0], theirs[0]);
    if (mine[0] <= theirs[0]) a++;
    else b++;
  }
}
