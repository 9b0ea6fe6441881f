/** Parsing JSON texts of requests: duplicate keys are found (and merged, as Go's decoder does), depth is bounded. */
import type { Json, JsonObject } from '../api/schema.ts';
import { goQuote } from './go-quote.ts';
import { getKey, isJsonObject, setKey } from './json.ts';
import { jsonErrorText } from './json-error.ts';

/** Deeper nesting is refused; no API object comes near, and walkers recurse. */
export const MAX_DEPTH = 1000;

/** What is said of deeper nesting, in the words of Go's decoder. */
export const TOO_DEEP = 'exceeded max depth';

export interface ParsedJson {
  readonly value: Json;
  /** `duplicate field "spec.replicas"`, in document order. */
  readonly duplicates: readonly string[];
  /** Where in a text with duplicates each of them is, and each field, called `unknown field "spec.replicas"`. */
  readonly positions?: ReadonlyMap<string, number>;
}

/** What is wrong with the fields of a document, in the order in which Go's strict decoder comes by it. */
export function inDocumentOrder(
  { duplicates, positions }: Pick<ParsedJson, 'duplicates' | 'positions'>,
  unknown: readonly string[],
): readonly string[] {
  if (duplicates.length === 0) return unknown;
  const all = [...duplicates, ...unknown];
  if (positions === undefined) return all;
  return all.sort((a, b) => (positions.get(a) ?? 0) - (positions.get(b) ?? 0));
}

/** Parses a text. Throws a SyntaxError with the words of Go's decoder when it is no JSON or nested too deeply. */
export function parseJson(text: string): ParsedJson {
  const value = parse(text);
  // Duplicates are rare: counting keys on both sides is several times cheaper than looking for them.
  if (countKeys(value, 0) === countPairs(text)) return { value, duplicates: [] };
  return new Reader(text).read();
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // What V8 says is replaced by what upstream says.
    throw new SyntaxError(jsonErrorText(text));
  }
}

/** Throws a SyntaxError when the value is nested deeper than what a text may be. */
export function assertDepth(value: Json): void {
  countKeys(value, 0);
}

function countKeys(value: Json | undefined, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth >= MAX_DEPTH) throw new SyntaxError(TOO_DEEP);
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item, depth + 1);
    return count;
  }
  for (const key of Object.keys(value)) count += 1 + countKeys(value[key], depth + 1);
  return count;
}

/** The number of keys in a well-formed text: strings that a colon follows. */
function countPairs(text: string): number {
  let count = 0;
  for (let open = text.indexOf('"'); open >= 0; ) {
    let close = text.indexOf('"', open + 1);
    while (isEscaped(text, close)) close = text.indexOf('"', close + 1);
    let next = close + 1;
    while (isSpace(text.charCodeAt(next))) next++;
    if (text.charCodeAt(next) === 0x3a) count++;
    open = text.indexOf('"', next);
  }
  return count;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
  return slashes % 2 === 1;
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;

/** A reader for well-formed texts with duplicate keys. */
class Reader {
  readonly #text: string;
  #at = 0;
  readonly #duplicates: string[] = [];
  readonly #positions = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
  }

  read(): ParsedJson {
    return { value: this.#value('', undefined), duplicates: this.#duplicates, positions: this.#positions };
  }

  #skip(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  /** `before` is what an earlier, equal key held: objects are decoded into it. */
  #value(path: string, before: Json | undefined): Json {
    this.#skip();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(path, isJsonObject(before) ? before : {});
      case '[':
        return this.#array(path);
      case '"':
        return this.#string();
      default: {
        const start = this.#at;
        while (/[^\s,\]}]/.test(this.#text[this.#at] ?? ' ')) this.#at++;
        return JSON.parse(this.#text.slice(start, this.#at)) as Json;
      }
    }
  }

  #object(path: string, result: JsonObject): JsonObject {
    const seen = new Set<string>();
    this.#at++;
    for (this.#skip(); this.#text[this.#at] !== '}'; this.#skip()) {
      if (this.#text[this.#at] === ',') {
        this.#at++;
        this.#skip();
      }
      const key = this.#string();
      const below = path === '' ? key : `${path}.${key}`;
      const text = `${seen.has(key) ? 'duplicate' : 'unknown'} field ${goQuote(below)}`;
      if (seen.has(key)) this.#duplicates.push(text);
      if (!this.#positions.has(text)) this.#positions.set(text, this.#at);
      seen.add(key);
      this.#skip();
      this.#at++;
      setKey(result, key, this.#value(below, getKey(result, key)));
    }
    this.#at++;
    return result;
  }

  #array(path: string): Json[] {
    const result: Json[] = [];
    this.#at++;
    for (this.#skip(); this.#text[this.#at] !== ']'; this.#skip()) {
      if (this.#text[this.#at] === ',') this.#at++;
      result.push(this.#value(`${path}[${result.length}]`, undefined));
    }
    this.#at++;
    return result;
  }

  #string(): string {
    const start = this.#at;
    let close = this.#text.indexOf('"', start + 1);
    while (isEscaped(this.#text, close)) close = this.#text.indexOf('"', close + 1);
    this.#at = close + 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }
}
