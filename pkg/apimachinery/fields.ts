/** Field selectors: `metadata.name=a,spec.nodeName!=b` (k8s.io/apimachinery/pkg/fields). */

export interface FieldTerm {
  readonly field: string;
  readonly value: string;
  /** `!=` instead of `=`. */
  readonly negated: boolean;
}

/** A predicate over the selectable fields of an object: all terms have to hold. */
export class FieldSelector {
  readonly terms: readonly FieldTerm[];

  constructor(terms: readonly FieldTerm[]) {
    this.terms = terms;
  }

  get isEverything(): boolean {
    return this.terms.length === 0;
  }

  /** `get` returns a selectable field's value, empty when the object does not have it. */
  matches(get: (field: string) => string): boolean {
    for (const { field, value, negated } of this.terms) if ((get(field) === value) === negated) return false;
    return true;
  }

  /** The value a field must have, if the selector fixes it; lets a read go straight to one object or index. */
  exactMatch(field: string): string | undefined {
    return this.terms.find((term) => term.field === field && !term.negated)?.value;
  }

  toString(): string {
    return this.terms
      .map(({ field, value, negated }) => `${field}${negated ? '!=' : '='}${escapeValue(value)}`)
      .join(',');
  }
}

export const everyField = new FieldSelector([]);

const escapeValue = (value: string): string => value.replace(/[\\,=]/g, (char) => `\\${char}`);

function unescapeValue(value: string): string {
  return value.replace(/\\([\s\S]?)|[,=]/g, (match: string, escaped: string | undefined) => {
    if (escaped === undefined) {
      throw new Error(`invalid field selector: unescaped character in value: ${match.codePointAt(0)}`);
    }
    if (!/^[\\,=]$/.test(escaped)) throw new Error(`invalid field selector: invalid escape sequence: ${match}`);
    return escaped;
  });
}

/** The selector of a string; throws an Error with upstream's text. */
export function parseFieldSelector(text: string): FieldSelector {
  const terms: FieldTerm[] = [];
  for (const part of text.match(/(?:\\[\s\S]?|[^,\\])+/g)?.sort() ?? []) {
    const operator = /!=|==|=/.exec(part);
    if (operator === null) throw new Error(`invalid selector: '${text}'; can't understand '${part}'`);
    terms.push({
      field: part.slice(0, operator.index),
      value: unescapeValue(part.slice(operator.index + operator[0].length)),
      negated: operator[0] === '!=',
    });
  }
  return terms.length === 0 ? everyField : new FieldSelector(terms);
}
