import type { CapacityRequestPolicy, DeviceCapacity } from '../../../api/generated/resource-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { parseQuantity, type Quantity } from '../../../apimachinery/quantity.ts';
import type { Findings } from '../../validation/rules.ts';
import { setOf } from './lists.ts';

const MAX_OPTIONS = 10;

const quantity = (text: string | null | undefined): Quantity | undefined =>
  text === undefined || text === null ? undefined : parseQuantity(text);

/** Upstream's rules for the capacity of a device, which only one that may be allocated several times shares out. */
export function* validateCapacity(
  { value, requestPolicy }: DeviceCapacity,
  isShared: boolean,
  path: FieldPath,
): Findings {
  if (requestPolicy === undefined) return;
  const at = path.child('requestPolicy');
  if (!isShared) return yield fieldError.forbidden(at, 'allowMultipleAllocations must be true');
  const { validValues = [], validRange } = requestPolicy;
  if (validValues.length > 0 && validRange !== undefined) {
    const text = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';
    return yield fieldError.forbidden(at, text);
  }
  const preset = quantity(requestPolicy.default);
  const kind = validValues.length > 0 ? 'validValues' : 'validRange';
  if (validValues.length === 0 && validRange === undefined) return;
  if (preset === undefined) return yield fieldError.required(at.child('default'), `required when ${kind} is defined`);
  const capacity = parseQuantity(value ?? '0');
  if (kind === 'validValues') yield* validateValues(validValues.map(parseQuantity), preset, capacity, at.child(kind));
  else if (validRange !== undefined) yield* validateRange(validRange, preset, capacity, at.child(kind));
}

function* validateValues(values: readonly Quantity[], preset: Quantity, capacity: Quantity, path: FieldPath): Findings {
  for (const [index, value] of values.entries()) {
    const before = values[index - 1];
    if (before === undefined || before.compare(value) <= 0) continue;
    yield fieldError.invalid(path.index(index), value.toString(), 'values must be sorted in ascending order');
  }
  yield* setOf(
    values,
    MAX_OPTIONS,
    path,
    function* (value, at) {
      if (value.compare(capacity) <= 0) return;
      yield fieldError.invalid(at, value.toString(), `option is larger than capacity value: ${capacity}`);
    },
    (value) => String(value.value()),
  );
  if (!values.some((value) => value.compare(preset) === 0)) {
    yield fieldError.invalid(path, preset.toString(), 'default value is not valid according to the requestPolicy');
  }
}

type Range = NonNullable<CapacityRequestPolicy['validRange']>;

function* validateRange(range: Range, preset: Quantity, capacity: Quantity, path: FieldPath): Findings {
  const [min, max, step] = [quantity(range.min), quantity(range.max), quantity(range.step)];
  if (min === undefined) return yield fieldError.required(path.child('min'), 'required when validRange is defined');
  const refuse = (field: string, value: Quantity, text: string) =>
    fieldError.invalid(path.child(field), value.toString(), text);
  if (min.compare(capacity) > 0) yield refuse('min', min, `min is larger than capacity value: ${capacity}`);
  if (preset.compare(min) < 0) yield refuse('default', preset, `default is less than min: ${min}`);
  if (max !== undefined) {
    if (min.compare(max) > 0) yield refuse('max', min, `min is larger than max: ${max}`);
    if (max.compare(capacity) > 0) yield refuse('max', max, `max is larger than capacity value: ${capacity}`);
    if (preset.compare(max) > 0) yield refuse('default', preset, `default is more than max: ${max}`);
  }
  if (step === undefined) return;
  const first = min.add(step);
  if (first.compare(capacity) > 0) {
    yield refuse('step', step, `one step ${first} is larger than capacity value: ${capacity}`);
  }
  for (const value of max === undefined ? [preset] : [preset, max]) {
    if (step.value() === 0 || (value.value() - min.value()) % step.value() === 0) continue;
    yield refuse('step', value, `value is not a multiple of a given step (${step}) from (${min})`);
  }
}
