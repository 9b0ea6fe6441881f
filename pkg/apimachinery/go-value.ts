/** How Go's `%v` prints decoded JSON, as some upstream messages show it: `map[image:x name:c]`, `[a b]`, `<nil>`. */
export function goValueText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goValueText).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const object = value as Record<string, unknown>;
  const entries = Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort();
  return `map[${entries.map((key) => `${key}:${goValueText(object[key])}`).join(' ')}]`;
}
