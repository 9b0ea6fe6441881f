import type { PriorityClass } from '../../api/generated/scheduling-v1.ts';
import { priorityClasses } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { type Findings, oneOf, unchanged } from '../validation/rules.ts';

const DOC = 'scheduling.v1.PriorityClass';
const HIGHEST = 1_000_000_000;
const SYSTEM: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

/** Upstream's ValidatePriorityClass. */
function* validate({ metadata: { name }, value, globalDefault, preemptionPolicy }: PriorityClass): Findings {
  if (name.startsWith('system-')) {
    const why = systemClassError(name, value, globalDefault ?? false);
    const text = "priority class names with 'system-' prefix are reserved for system use only. error: ";
    if (why !== undefined) yield fieldError.forbidden(FieldPath.of('metadata', 'name'), `${text}${why}`);
  } else if (value > HIGHEST) {
    const text = `maximum allowed value of a user defined priority is ${HIGHEST}`;
    yield fieldError.forbidden(FieldPath.of('value'), text);
  }
  if (preemptionPolicy !== undefined) {
    yield* oneOf(FieldPath.of('preemptionPolicy'), preemptionPolicy, ['PreemptLowerPriority', 'Never']);
  }
}

/** Upstream's IsKnownSystemPriorityClass: what is wrong with a class that claims to be the system's. */
function systemClassError(name: string, value: number, isDefault: boolean): string | undefined {
  const expected = SYSTEM[name];
  if (expected === undefined) return `${name} is not a known system priority class`;
  if (value !== expected) return `value of ${name} PriorityClass must be ${expected}`;
  return isDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

function* validateUpdate(object: PriorityClass, old: PriorityClass): Findings {
  if (object.value !== old.value) yield fieldError.forbidden(FieldPath.of('value'), 'may not be changed in an update.');
  yield* unchanged(FieldPath.of('preemptionPolicy'), object.preemptionPolicy, old.preemptionPolicy);
}

export const priorityClass = describe<PriorityClass>(priorityClasses, {
  shortNames: ['pc'],
  generation: true,
  defaults(draft) {
    draft.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validate,
  updateSteps: ['metadata', 'change'],
  validateUpdate,
  columns: [
    nameColumn,
    { name: 'Value', type: 'integer', doc: [DOC, 'value'], cell: ({ value }) => value },
    {
      name: 'Global-Default',
      type: 'boolean',
      doc: [DOC, 'globalDefault'],
      cell: ({ globalDefault }) => globalDefault ?? false,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      type: 'string',
      doc: [DOC, 'preemptionPolicy'],
      cell: ({ preemptionPolicy }) => preemptionPolicy ?? '',
    },
  ],
});
