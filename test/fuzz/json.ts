import type { Json, JsonObject } from '../../pkg/api/schema.ts';
import { isJsonObject } from '../../pkg/apimachinery/json.ts';
import type { Random } from './random.ts';
import { mutateText, strangeText } from './texts.ts';

/** A value that the field it is put into does not expect. */
export function strangeValue(random: Random, depth = 0): Json {
  return random.weighted<() => Json>([
    [3, () => strangeText(random)],
    [2, () => random.pick([null, true, false])],
    [3, () => random.pick([0, -1, 1, 0.5, 1e300, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 65536, 1e-300])],
    [1, () => []],
    [1, () => ({})],
    [1, () => (depth > 3 ? null : [strangeValue(random, depth + 1), strangeValue(random, depth + 1)])],
    [1, () => (depth > 3 ? null : { [strangeText(random)]: strangeValue(random, depth + 1) })],
    [0.2, () => nested(random.pick([20, 200, 2000]), random.chance(0.5))],
    [0.1, () => Array.from({ length: 2000 }, (_, index) => index)],
  ])();
}

function nested(depth: number, inList: boolean): Json {
  let value: Json = 'x';
  for (let level = 0; level < depth; level++) value = inList ? [value] : { a: value };
  return value;
}

/** A copy of `value` with one to three of its values, keys or items changed. */
export function mutateJson(random: Random, value: Json): Json {
  let changed = value;
  for (
    let round = random.weighted([
      [6, 1],
      [2, 2],
      [1, 3],
    ]);
    round > 0;
    round--
  ) {
    changed = mutateOnce(random, changed);
  }
  return changed;
}

/** Goes down a random path, and changes what is there. */
function mutateOnce(random: Random, value: Json): Json {
  if (Array.isArray(value) && value.length > 0 && random.chance(0.85)) {
    const at = random.below(value.length);
    return value.map((item, index) => (index === at ? mutateOnce(random, item) : item));
  }
  if (isJsonObject(value) && Object.keys(value).length > 0 && random.chance(0.85)) {
    const key = random.pick(Object.keys(value));
    return { ...value, [key]: mutateOnce(random, value[key] ?? null) };
  }
  return replacement(random, value);
}

function replacement(random: Random, value: Json): Json {
  if (typeof value === 'string' && random.chance(0.5)) return mutateText(random, value);
  if (typeof value === 'number' && random.chance(0.4)) return value * random.pick([-1, 2, 1000, 0.5, 1e10]);
  if (Array.isArray(value) && random.chance(0.6)) {
    return random.weighted<() => Json>([
      [2, () => [...value, ...value]],
      [1, () => value.toReversed()],
      [1, () => [...value, strangeValue(random)]],
      [1, () => value.slice(1)],
    ])();
  }
  if (isJsonObject(value) && random.chance(0.6)) {
    return random.weighted<() => Json>([
      [2, () => withStrangeKey(random, value)],
      [2, () => withoutOne(random, value)],
      [1, () => Object.fromEntries(Object.entries(value).map(([key, item]) => [mutateText(random, key), item]))],
    ])();
  }
  return strangeValue(random);
}

function withStrangeKey(random: Random, object: JsonObject): JsonObject {
  return Object.fromEntries([...Object.entries(object), [strangeText(random), strangeValue(random)]]);
}

function withoutOne(random: Random, object: JsonObject): JsonObject {
  const gone = random.pick([...Object.keys(object), '']);
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== gone));
}

/** JSON text with what no serializer writes: keys twice, numbers beyond every type, comments, lone surrogates. */
export function strangeJsonText(random: Random, value: Json): string {
  const text = JSON.stringify(value);
  return random.weighted<() => string>([
    [3, () => text.replace(/"([a-z]+)":/i, (pair, key: string) => `${pair}1,"${key}":`)],
    [
      2,
      () => text.replace(/:\d+/, () => `:${random.pick(['1e400', '-1e400', '9'.repeat(500), '-0', '01', '1.', '.5'])}`),
    ],
    [1, () => text.replace(/:"[^"]*"/, () => `:"${random.pick(['\\ud800', '\\u0000', '\\x41', '\\', '\t'])}"`)],
    [1, () => `${text}${random.pick([text, '\n', ']', '\u0000', ' //'])}`],
    [1, () => `${random.pick(['\ufeff', '/**/', ")]}'", '\n\n'])}${text}`],
    [1, () => mutateText(random, text)],
  ])();
}
