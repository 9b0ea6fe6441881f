/** Values that are a number or a percentage: maxSurge, maxUnavailable, minAvailable, targetPort. */
import { goQuote } from './go-quote.ts';

export type IntOrString = number | string;

/**
 * The number meant by `value`, percentages taken of `total`, rounded up or down.
 * Throws an Error with upstream's text when a string is no percentage.
 */
export function scaledValue(value: IntOrString, total: number, roundUp: boolean): number {
  if (typeof value === 'number') return value;
  if (!value.endsWith('%')) throw new Error('invalid value for IntOrString: invalid type: string is not a percentage');
  const digits = value.slice(0, -1);
  if (!/^[+-]?\d+$/.test(digits)) {
    const cause = `strconv.Atoi: parsing ${goQuote(digits)}: invalid syntax`;
    throw new Error(`invalid value for IntOrString: invalid value ${goQuote(value)}: ${cause}`);
  }
  const exact = (Number(digits) * total) / 100;
  return roundUp ? Math.ceil(exact) : Math.floor(exact);
}
