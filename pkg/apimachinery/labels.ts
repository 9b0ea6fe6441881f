/** Label selectors: what they match, and their text form. Their parser is label-parser.ts. */
import { aggregateText, type FieldError, fieldError, fieldErrorText, goStringSlice } from './field-error.ts';
import { FieldPath } from './field-path.ts';
import { goQuote } from './go-quote.ts';
import { isLabelValue, isQualifiedName } from './names.ts';

export type Labels = Readonly<Record<string, string>>;

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** The API's LabelSelector object. */
export interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator: string;
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

const INTEGER = /^[+-]?\d+$/;

/**
 * Checks a requirement; throws an Error with upstream's text. Label keys and values that could never match are refused
 * here, so that a typo does not silently select nothing.
 */
export function newRequirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const errors: FieldError[] = [];
  const keyErrors = isQualifiedName(key);
  if (keyErrors.length > 0) errors.push(fieldError.invalid('key', key, keyErrors.join('; ')));
  const path = FieldPath.of('values');
  const refuse = (detail: string): void => {
    errors.push(fieldError.invalid(path, goStringSlice(values), detail));
  };
  switch (operator) {
    case 'in':
    case 'notin':
      if (values.length === 0) refuse("for 'in', 'notin' operators, values set can't be empty");
      break;
    case '=':
    case '==':
    case '!=':
      if (values.length !== 1) refuse('exact-match compatibility requires one single value');
      break;
    case 'exists':
    case '!':
      if (values.length !== 0) refuse('values set must be empty for exists and does not exist');
      break;
    default:
      if (values.length !== 1) refuse("for 'Gt', 'Lt' operators, exactly one value is required");
      values.forEach((value, index) => {
        if (INTEGER.test(value)) return;
        const detail = "for 'Gt', 'Lt' operators, the value must be an integer";
        errors.push(fieldError.invalid(path.index(index), value, detail));
      });
  }
  values.forEach((value, index) => {
    const texts = isLabelValue(value);
    if (texts.length > 0) errors.push(fieldError.invalid(path.index(index).key(key), value, texts.join('; ')));
  });
  if (errors.length > 0) throw new Error(aggregateText(errors.map(fieldErrorText)));
  return { key, operator, values };
}

function meets(requirement: LabelRequirement, labels: Labels): boolean {
  const { key, operator, values } = requirement;
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'in':
    case '=':
    case '==':
      return value !== undefined && values.includes(value);
    case 'notin':
    case '!=':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    default: {
      const limit = values[0];
      if (value === undefined || limit === undefined || !INTEGER.test(value)) return false;
      return operator === 'gt' ? BigInt(value) > BigInt(limit) : BigInt(value) < BigInt(limit);
    }
  }
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  const sorted = values.length < 2 ? values : [...values].sort();
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${sorted.join(',')})`;
    default:
      return `${key}${operator === 'gt' ? '>' : operator === 'lt' ? '<' : operator}${sorted.join(',')}`;
  }
}

const NO_LABELS: Labels = {};

/** A predicate over labels: all requirements have to hold. */
export class LabelMatcher {
  /** Sorted by key. */
  readonly requirements: readonly LabelRequirement[];
  readonly #nothing: boolean;

  constructor(requirements: readonly LabelRequirement[], nothing = false) {
    this.requirements = [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.#nothing = nothing;
  }

  /** Matches every object. */
  get isEverything(): boolean {
    return !this.#nothing && this.requirements.length === 0;
  }

  /** Matches no object (an absent LabelSelector). */
  get isNothing(): boolean {
    return this.#nothing;
  }

  matches(labels: Labels | undefined): boolean {
    if (this.#nothing) return false;
    for (const requirement of this.requirements) if (!meets(requirement, labels ?? NO_LABELS)) return false;
    return true;
  }

  /** The text form, `a=b,c in (d,e)`. */
  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

export const everyLabel = new LabelMatcher([]);
export const noLabel = new LabelMatcher([], true);

const OBJECT_OPERATORS: ReadonlyMap<string, LabelOperator> = new Map([
  ['In', 'in'],
  ['NotIn', 'notin'],
  ['Exists', 'exists'],
  ['DoesNotExist', '!'],
]);

/**
 * The matcher of a LabelSelector object: absent matches nothing, empty matches everything. Throws an Error with
 * upstream's text when it is malformed.
 */
export function labelMatcher(selector: LabelSelectorObject | null | undefined): LabelMatcher {
  if (selector === undefined || selector === null) return noLabel;
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    requirements.push(newRequirement(key, '=', [value]));
  }
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = OBJECT_OPERATORS.get(operator);
    if (known === undefined) throw new Error(`${goQuote(operator)} is not a valid label selector operator`);
    requirements.push(newRequirement(key, known, values ?? []));
  }
  return requirements.length === 0 ? everyLabel : new LabelMatcher(requirements);
}

/** The matcher of a plain label map (Service and ReplicationController selectors); taken as valid. */
export function labelMapMatcher(labels: Labels | undefined): LabelMatcher {
  const entries = Object.entries(labels ?? {});
  return entries.length === 0
    ? everyLabel
    : new LabelMatcher(entries.map(([key, value]) => ({ key, operator: '=', values: [value] })));
}

/** The selector as tables show it. */
export function formatLabelSelector(selector: LabelSelectorObject | null | undefined): string {
  try {
    return labelMatcher(selector).toString() || '<none>';
  } catch {
    // An object stored by an older, laxer version still has to be listed.
    return '<error>';
  }
}

/** What is wrong with the keys and values of a label map. */
export function validateLabels(labels: Labels | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    errors.push(...isQualifiedName(key).map((text) => fieldError.invalid(path, key, text)));
    errors.push(...isLabelValue(value).map((text) => fieldError.invalid(path, value, text)));
  }
  return errors;
}

/** What is wrong with a LabelSelector object in a spec. */
export function validateLabelSelector(selector: LabelSelectorObject | null | undefined, path: FieldPath): FieldError[] {
  if (selector === undefined || selector === null) return [];
  const errors = validateLabels(selector.matchLabels, path.child('matchLabels'));
  (selector.matchExpressions ?? []).forEach(({ key, operator, values = [] }, index) => {
    const at = path.child('matchExpressions').index(index);
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) {
        errors.push(fieldError.required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) {
        const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        errors.push(fieldError.forbidden(at.child('values'), detail));
      }
    } else {
      errors.push(fieldError.invalid(at.child('operator'), operator, 'not a valid selector operator'));
    }
    errors.push(...isQualifiedName(key).map((text) => fieldError.invalid(at.child('key'), key, text)));
    values.forEach((value, position) => {
      const where = at.child('values').index(position);
      errors.push(...isLabelValue(value).map((text) => fieldError.invalid(where, value, text)));
    });
  });
  return errors;
}
