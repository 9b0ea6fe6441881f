/**
 * The parser of label selector strings, `a=b,c in (d,e),!f,g>3`, as `kubectl -l` and ?labelSelector= bring them.
 * Grammar, leniencies and error texts are upstream's (k8s.io/apimachinery/pkg/labels).
 */
import { fieldError, fieldErrorText } from './field-error.ts';
import { everyLabel, LabelMatcher, type LabelOperator, type LabelRequirement, newRequirement } from './labels.ts';
import { isQualifiedName } from './names.ts';

type TokenKind =
  | 'end'
  | 'identifier'
  | 'error'
  | 'in'
  | 'notin'
  | '='
  | '=='
  | '!='
  | '>'
  | '<'
  | '!'
  | '('
  | ')'
  | ',';

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const SYMBOLS: ReadonlySet<string> = new Set(['=', '==', '!=', '>', '<', '!', '(', ')', ',']);
const BINARY_OPERATORS: ReadonlyMap<TokenKind, LabelOperator> = new Map([
  ['in', 'in'],
  ['notin', 'notin'],
  ['=', '='],
  ['==', '=='],
  ['!=', '!='],
  ['>', 'gt'],
  ['<', 'lt'],
]);
const END: Token = { kind: 'end', text: '' };

/** Splits into symbols (longest first, from runs of symbol characters), keywords and identifiers. */
function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (const [run] of text.matchAll(/[=!(),<>]+|[^=!(),<>\s]+/g)) {
    if (!/[=!(),<>]/.test(run)) {
      tokens.push({ kind: run === 'in' || run === 'notin' ? run : 'identifier', text: run });
      continue;
    }
    for (let at = 0; at < run.length; ) {
      const two = run.slice(at, at + 2);
      const symbol = two.length === 2 && SYMBOLS.has(two) ? two : run.slice(at, at + 1);
      tokens.push({ kind: symbol as TokenKind, text: symbol });
      at += symbol.length;
    }
  }
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  /** The next token; where values may stand, `in` and `notin` are ordinary words. */
  #peek(keywords: boolean): Token {
    const token = this.#tokens[this.#position] ?? END;
    return !keywords && (token.kind === 'in' || token.kind === 'notin') ? { ...token, kind: 'identifier' } : token;
  }

  #next(keywords = false): Token {
    const token = this.#peek(keywords);
    this.#position++;
    return token;
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const { kind, text } = this.#peek(false);
      if (kind === 'end') return requirements;
      if (kind !== 'identifier' && kind !== '!') {
        throw new Error(`found '${text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const after = this.#next();
      if (after.kind === 'end') return requirements;
      if (after.kind !== ',') throw new Error(`found '${after.text}', expected: ',' or 'end of string'`);
      const following = this.#peek(false);
      if (following.kind !== 'identifier' && following.kind !== '!') {
        throw new Error(`found '${following.text}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): LabelRequirement {
    try {
      return this.#parseRequirement();
    } catch (error) {
      throw new Error(`unable to parse requirement: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #parseRequirement(): LabelRequirement {
    let token = this.#next();
    const absent = token.kind === '!';
    if (absent) token = this.#next();
    if (token.kind !== 'identifier') throw new Error(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const keyErrors = isQualifiedName(key);
    // Upstream has no path to name here and prints Go's nil.
    if (keyErrors.length > 0) throw new Error(fieldErrorText(fieldError.invalid('<nil>', key, keyErrors.join('; '))));
    if (absent) return newRequirement(key, '!', []);
    const after = this.#peek(false).kind;
    if (after === 'end' || after === ',') return newRequirement(key, 'exists', []);
    const word = this.#next(true);
    const operator = BINARY_OPERATORS.get(word.kind);
    if (operator === undefined) {
      throw new Error(`found '${word.text}', expected: ${[...BINARY_OPERATORS.values()].join(', ')}`);
    }
    const values = operator === 'in' || operator === 'notin' ? this.#valueSet() : [this.#exactValue()];
    return newRequirement(key, operator, [...new Set(values)].sort());
  }

  #exactValue(): string {
    const next = this.#peek(false).kind;
    if (next === 'end' || next === ',') return '';
    const { kind, text } = this.#next();
    if (kind !== 'identifier') throw new Error(`found '${text}', expected: identifier`);
    return text;
  }

  /** `(a,,b)`: missing words between commas stand for the empty value. */
  #valueSet(): string[] {
    const open = this.#next();
    if (open.kind !== '(') throw new Error(`found '${open.text}' expected: '('`);
    const first = this.#peek(false);
    if (first.kind === ')') {
      this.#next();
      return [''];
    }
    if (first.kind !== 'identifier' && first.kind !== ',') {
      throw new Error(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values: string[] = [];
    for (;;) {
      const { kind, text } = this.#next();
      const next = this.#peek(false);
      if (kind === 'identifier') {
        values.push(text);
        if (next.kind !== ',' && next.kind !== ')') throw new Error(`found '${next.text}', expected: ',' or ')'`);
      } else if (kind === ',') {
        if (values.length === 0 || next.kind === ',' || next.kind === ')') values.push('');
      } else {
        throw new Error(`found '${text}', expected: ',', or identifier`);
      }
      if (next.kind === ')') {
        this.#next();
        return values;
      }
    }
  }
}

/** The matcher of a selector string; an empty string matches everything. Throws an Error with upstream's text. */
export function parseLabelSelector(text: string): LabelMatcher {
  const requirements = new Parser(text).parse();
  return requirements.length === 0 ? everyLabel : new LabelMatcher(requirements);
}
