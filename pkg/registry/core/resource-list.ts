import { parseQuantity } from '../../apimachinery/quantity.ts';

type Amounts = Record<string, string> | undefined;

/** Canonical texts of what may be no whole number of thousandths. */
const TINY = /[nu]|e-/;

/** Rounds amounts of resources up to thousandths, in place: upstream's SetDefaults_ResourceList. */
export function roundAmounts(...lists: readonly Amounts[]): void {
  for (const list of lists) {
    for (const [name, amount] of Object.entries(list ?? {})) {
      if (list !== undefined && TINY.test(amount)) list[name] = parseQuantity(amount).roundUpToMilli().toString();
    }
  }
}
