import type { Condition } from '../../api/generated/meta-v1.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import { regexError } from '../../apimachinery/names.ts';
import { type Findings, qualifiedName } from './rules.ts';

const STATUSES = ['False', 'True', 'Unknown'];
const MAX_REASON = 1024;
const MAX_MESSAGE = 32 * 1024;
const REASON = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const REASON_PATTERN = new RegExp(`^${REASON}$`);
const NOT_A_REASON = regexError(
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
  REASON,
  'my_name',
  'MY_NAME',
  'MyName',
  'ReasonA,ReasonB',
  'ReasonA:ReasonB',
);

/** Upstream's ValidateConditions: of metav1.Condition, one for each type. */
export function* validateConditions(conditions: readonly Condition[] | undefined, path: FieldPath): Findings {
  const types = new Set<string>();
  for (const [index, condition] of (conditions ?? []).entries()) {
    const at = path.index(index);
    if (types.has(condition.type)) yield fieldError.duplicate(at.child('type'), condition.type);
    types.add(condition.type);
    yield* validateCondition(condition, at);
  }
}

/** Upstream's ValidateCondition. */
function* validateCondition(condition: Condition, path: FieldPath): Findings {
  const { type, status, observedGeneration = 0, lastTransitionTime, reason, message } = condition;
  yield* qualifiedName(path.child('type'), type ?? '');
  if (!STATUSES.includes(status)) yield fieldError.notSupported(path.child('status'), status ?? '', STATUSES);
  if (observedGeneration < 0) {
    const text = 'must be greater than or equal to zero';
    yield fieldError.invalid(path.child('observedGeneration'), observedGeneration, text);
  }
  if (!lastTransitionTime) yield fieldError.required(path.child('lastTransitionTime'));
  const at = path.child('reason');
  if (!reason) yield fieldError.required(at);
  else if (!REASON_PATTERN.test(reason)) yield fieldError.invalid(at, reason, NOT_A_REASON);
  if (Buffer.byteLength(reason ?? '') > MAX_REASON) yield fieldError.tooLong(at, MAX_REASON);
  if (Buffer.byteLength(message ?? '') > MAX_MESSAGE) yield fieldError.tooLong(path.child('message'), MAX_MESSAGE);
}
