/** Taints of devices, tolerations of requests, and conditions for binding. */
import type { DeviceTaint, DeviceToleration } from '../../../api/generated/resource-v1.ts';
import { fieldError, goStringSlice } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isLabelValue } from '../../../apimachinery/names.ts';
import { each, type Findings, qualifiedName } from '../../validation/rules.ts';
import { listOf } from './lists.ts';

const EFFECTS = ['NoExecute', 'NoSchedule', 'None'];
const OPERATORS = ['Equal', 'Exists'];
const MAX_CONDITIONS = 4;

/** Upstream's validateDeviceTaint. */
export function* validateTaint({ key, value, effect }: DeviceTaint, path: FieldPath): Findings {
  yield* qualifiedName(path.child('key'), key ?? '');
  if (value) yield* each(path.child('value'), value, isLabelValue);
  if (!effect) yield fieldError.required(path.child('effect'));
  else if (!EFFECTS.includes(effect)) yield fieldError.notSupported(path.child('effect'), effect, EFFECTS);
}

/** Upstream's validateDeviceToleration. */
export function* validateToleration(toleration: DeviceToleration, path: FieldPath): Findings {
  const { key, operator, value = '', effect } = toleration;
  if (key) yield* qualifiedName(path.child('key'), key);
  if (!operator) yield fieldError.required(path.child('operator'));
  else if (operator === 'Equal') yield* each(path.child('value'), value, isLabelValue);
  else if (operator !== 'Exists') yield fieldError.notSupported(path.child('operator'), operator, OPERATORS);
  else if (value !== '') yield fieldError.invalid(path.child('value'), value, 'must be empty for operator `Exists`');
  if (effect && !EFFECTS.includes(effect)) yield fieldError.notSupported(path.child('effect'), effect, EFFECTS);
}

export function* validateTolerations(tolerations: readonly DeviceToleration[] | undefined, path: FieldPath): Findings {
  for (const [index, toleration] of (tolerations ?? []).entries())
    yield* validateToleration(toleration, path.index(index));
}

interface Binding {
  readonly bindingConditions?: readonly string[] | undefined;
  readonly bindingFailureConditions?: readonly string[] | undefined;
}

/** Upstream's validateDeviceBindingParameters: conditions of success and of failure come together and differ. */
export function* validateBinding(binding: Binding, path: FieldPath): Findings {
  const { bindingConditions = [], bindingFailureConditions = [] } = binding;
  const [good, bad] = [path.child('bindingConditions'), path.child('bindingFailureConditions')];
  const checkName = (name: string, at: FieldPath): Findings => qualifiedName(at, name);
  yield* listOf(bindingConditions, MAX_CONDITIONS, good, checkName);
  yield* listOf(bindingFailureConditions, MAX_CONDITIONS, bad, checkName);
  for (const [index, condition] of bindingConditions.entries()) {
    if (bindingConditions.indexOf(condition) < index) yield fieldError.duplicate(good.index(index), condition);
  }
  for (const [index, condition] of bindingFailureConditions.entries()) {
    if (bindingFailureConditions.indexOf(condition) < index) yield fieldError.duplicate(bad.index(index), condition);
    if (bindingConditions.includes(condition)) {
      const text = 'bindingFailureConditions must not overlap with bindingConditions';
      yield fieldError.invalid(bad.index(index), condition, text);
    }
  }
  if (bindingConditions.length === 0 && bindingFailureConditions.length > 0) {
    const text = 'bindingConditions are required to use bindingFailureConditions';
    yield fieldError.invalid(good, goStringSlice(binding.bindingConditions), text);
  }
  if (bindingFailureConditions.length === 0 && bindingConditions.length > 0) {
    const text = 'bindingFailureConditions are required to use bindingConditions';
    yield fieldError.invalid(bad, goStringSlice(binding.bindingFailureConditions), text);
  }
}
