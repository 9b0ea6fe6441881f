/**
 * YAML as the API reads it: the dialect of sigs.k8s.io/yaml, that is YAML 1.1 scalars (`yes`, `off`, `0755`) without
 * timestamps and base-60 numbers, and keys that are always strings.
 */
import { isUtf8 } from 'node:buffer';
import { type Document, isAlias, isMap, isScalar, Lexer, parseAllDocuments, stringify, type Tags, visit } from 'yaml';
import type { Json } from '../api/schema.ts';
import { assertDepth, parseJson, TOO_DEEP } from './json-text.ts';

/** How often a document may refer to anchors in all, nested references multiplied: the guard against alias bombs. */
const MAX_ALIASES = 100;

/** Texts above this size are looked at before they are parsed. */
const LARGE_LENGTH = 64 * 1024;
/**
 * How many pieces (keys, values, punctuation, line breaks) a text may consist of: several times what the largest
 * definitions have. The parser needs a kilobyte and microseconds for each; 3 MB of commas would hold everybody up.
 */
const MOST_PIECES = 500_000;

const DROPPED_TAGS = new Set(
  ['timestamp', 'binary', 'omap', 'set', 'pairs'].map((name) => `tag:yaml.org,2002:${name}`),
);

const withoutOddities = (tags: Tags): Tags =>
  tags.filter((tag) => {
    if (typeof tag === 'string') return true;
    const format = 'format' in tag ? tag.format : undefined;
    return !DROPPED_TAGS.has(tag.tag) && format !== 'TIME';
  });

export interface ParsedYaml {
  readonly value: Json;
  /** The keys that are set twice, each as `line 4: key "a" already set in map`. */
  readonly duplicates: readonly string[];
}

/** The documents of a text, empty ones left out. Throws an Error `yaml: line N: …` when the text is malformed. */
export function parseYamlDocuments(text: string): ParsedYaml[] {
  if (text.length > LARGE_LENGTH) refuseManyPieces(text);
  const documents = parseAllDocuments(text, {
    version: '1.1',
    customTags: withoutOddities,
    merge: true,
    uniqueKeys: false,
    prettyErrors: true,
    logLevel: 'error',
  });
  // For a text without any document the library returns a marker instead of a list.
  if (!Array.isArray(documents)) return [];
  return documents.map((document) => readDocument(document, text)).filter(({ value }) => value !== null);
}

function refuseManyPieces(text: string): void {
  let pieces = 0;
  for (const _ of new Lexer().lex(text)) {
    pieces++;
    if (pieces > MOST_PIECES) throw new Error(`yaml: document has more than ${MOST_PIECES} tokens`);
  }
}

/** The one document of a request's body. Throws as parseYaml, and when the bytes are no UTF-8. */
export function parseYamlBytes(bytes: Buffer): ParsedYaml {
  if (!isUtf8(bytes)) throw new Error('yaml: invalid leading UTF-8 octet');
  return parseYaml(bytes.toString('utf8'));
}

/** The first document of a text, as the API reads it; null when it is empty. Throws as parseYamlDocuments. */
export function parseYaml(text: string): ParsedYaml {
  const json = asJson(text);
  if (json !== undefined) return json;
  return parseYamlDocuments(text)[0] ?? { value: null, duplicates: [] };
}

/** Most of what is sent as YAML is JSON, which is read a hundred times faster; undefined for everything else. */
function asJson(text: string): ParsedYaml | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const parsed = parseJson(text);
    // Duplicate keys are told in the words of the YAML reader.
    return parsed.duplicates.length === 0 ? parsed : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Reading it as YAML would take long to find the same.
    if (error.message === TOO_DEEP) throw new Error(`yaml: ${TOO_DEEP}`);
    return undefined;
  }
}

function readDocument(document: Document.Parsed, text: string): ParsedYaml {
  const [error] = document.errors;
  if (error !== undefined) {
    // The library recurses, and reports an exhausted stack as it does any error.
    if (error.code === 'RESOURCE_EXHAUSTION') throw new Error(`yaml: ${TOO_DEEP}`);
    throw new Error(`yaml: ${complaint(error.message, error.linePos?.[0].line ?? 1)}`);
  }
  try {
    const value = document.toJS({ maxAliasCount: MAX_ALIASES }) as Json | undefined;
    assertDepth(value ?? null);
    return { value: value ?? null, duplicates: duplicateKeys(document, text) };
  } catch (failure) {
    const told = failure instanceof Error ? failure.message : String(failure);
    const alias = /^Unresolved alias .*: (\S+)/.exec(told)?.[1];
    throw new Error(`yaml: ${alias === undefined ? told : `unknown anchor '${alias}' referenced`}`);
  }
}

/** What the library says, and what Go's scanner (or its parser, which counts lines from 0) says of the same. */
const COMPLAINTS: readonly (readonly [RegExp, 'scanner' | 'parser', string])[] = [
  [/^Missing closing ["']/, 'scanner', 'found unexpected end of stream'],
  [/^Tabs are not allowed/, 'scanner', 'found character that cannot start any token'],
  [/^Plain value cannot start with/, 'scanner', 'found character that cannot start any token'],
  [
    /^(Nested mappings are not allowed|Implicit keys need to be on a single line)/,
    'scanner',
    'mapping values are not allowed in this context',
  ],
  [/^Implicit map keys need to be followed by map values/, 'scanner', "could not find expected ':'"],
  [/^(All mapping items|A block sequence may not)/, 'parser', 'did not find expected key'],
  [/^All sequence items/, 'parser', "did not find expected '-' indicator"],
  [/^(Flow map|Expected flow map)/, 'parser', "did not find expected ',' or '}'"],
  [/^(Flow sequence|Expected flow sequence)/, 'parser', "did not find expected ',' or ']'"],
];

function complaint(message: string, line: number): string {
  const [what = ''] = message.split('\n');
  const known = COMPLAINTS.find(([pattern]) => pattern.test(what));
  if (known === undefined) return `line ${line}: ${what.replace(/ at line \d+, column \d+:?$/, '')}`;
  const [, by, text] = known;
  const counted = by === 'scanner' ? line : line - 1;
  return line === 1 ? text : `line ${counted}: ${text}`;
}

function duplicateKeys(document: Document.Parsed, text: string): string[] {
  const duplicates: string[] = [];
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? String(key.value) : undefined;
        if (name === undefined || name === '<<') continue;
        if (seen.has(name)) duplicates.push(`line ${lineOf(key, text)}: key "${name}" already set in map`);
        seen.add(name);
      }
    },
    Alias: (_, node) => (isAlias(node) || isMap(node) ? visit.SKIP : undefined),
  });
  return duplicates;
}

/** The line, from 1, on which a node begins. */
function lineOf(node: unknown, text: string): number {
  const [start = 0] = (isScalar(node) && node.range) || [];
  return text.slice(0, start).split('\n').length;
}

const SET_TWICE = /^line \d+: key ".*" already set in map$/s;

/** What is told of keys set twice as the one error that a strict reader makes of it; other texts stay as they are. */
export function asStrictErrors(texts: readonly string[]): string[] {
  const twice = texts.filter((text) => SET_TWICE.test(text));
  if (twice.length === 0) return [...texts];
  return [['yaml: unmarshal errors:', ...twice].join('\n  '), ...texts.filter((text) => !SET_TWICE.test(text))];
}

/** The YAML form of a value, keys sorted, as the API answers `Accept: application/yaml`. */
export function formatYaml(value: unknown): string {
  return stringify(value, {
    version: '1.1',
    sortMapEntries: true,
    lineWidth: 0,
    aliasDuplicateObjects: false,
    indentSeq: false,
  });
}
