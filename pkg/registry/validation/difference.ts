import { semanticEqual } from '../../apimachinery/deep-equal.ts';

/** Which fields of two structs differ, in the shape of upstream's diff; clients cannot rely on more than that it is one. */
export function goDifference(type: string, after: object, before: object): string {
  const [now, then] = [after, before] as unknown as Readonly<Record<string, unknown>>[];
  const lines: string[] = [];
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (semanticEqual(now?.[key], then?.[key])) continue;
    const name = key.charAt(0).toUpperCase() + key.slice(1);
    for (const [sign, value] of [
      ['-', then?.[key]],
      ['+', now?.[key]],
    ] as const) {
      lines.push(`${sign} \t${name}: ${JSON.stringify(value ?? null)},`);
    }
  }
  return `  ${type}{\n${lines.join('\n')}\n  }\n`;
}
