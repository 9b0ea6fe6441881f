import type { LimitRange, LimitRangeItem } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isQualifiedName } from '../../../apimachinery/names.ts';
import { parseQuantity, type Quantity } from '../../../apimachinery/quantity.ts';
import type { Findings } from '../../validation/rules.ts';
import { isOvercommitAllowed } from './resource-names.ts';
import { containerResourceName, goQuantity, resourceName } from './resources.ts';

const TYPES: ReadonlySet<string> = new Set(['Pod', 'Container', 'PersistentVolumeClaim']);
const FIELDS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

/** Upstream's ValidateLimitRange. */
export function* validateLimitRange({ spec }: LimitRange): Findings {
  const seen = new Set<string>();
  for (const [index, item] of (spec.limits ?? []).entries()) {
    const path = FieldPath.of('spec', 'limits').index(index);
    yield* validateType(item.type, path.child('type'));
    if (seen.has(item.type)) yield fieldError.duplicate(path.child('type'), item.type);
    seen.add(item.type);
    yield* validateNames(item, path);
    yield* validateOrder(item, path);
  }
}

function* validateNames(item: LimitRangeItem, path: FieldPath): Findings {
  const { type, min, max } = item;
  const validateName = type === 'Pod' || type === 'Container' ? containerResourceName : resourceName;
  for (const field of FIELDS) {
    if (field === 'maxLimitRequestRatio' && type === 'PersistentVolumeClaim') {
      const text = 'either minimum or maximum storage value is required, but neither was provided';
      const isGiven = min?.['storage'] !== undefined || max?.['storage'] !== undefined;
      if (!isGiven) yield fieldError.required(path.child('limits'), text);
    }
    const names = Object.keys(item[field] ?? {}).sort();
    if (type === 'Pod' && (field === 'default' || field === 'defaultRequest')) {
      if (names.length > 0) yield fieldError.forbidden(path.child(field), "may not be specified when `type` is 'Pod'");
    } else for (const name of names) yield* validateName(name, path.child(field).key(name));
  }
}

function* validateType(type: string, path: FieldPath): Findings {
  const wrong = isQualifiedName(type);
  for (const text of wrong) yield fieldError.invalid(path, type, text);
  if (wrong.length === 0 && !type.includes('/') && !TYPES.has(type)) {
    yield fieldError.invalid(path, type, 'must be a standard limit type or fully qualified');
  }
}

/** Min ≤ default request ≤ default ≤ max, and a ratio that can be met. */
function* validateOrder(item: LimitRangeItem, path: FieldPath): Findings {
  const names = new Set(FIELDS.flatMap((field) => Object.keys(item[field] ?? {})));
  for (const name of [...names].sort()) {
    const amount = (field: (typeof FIELDS)[number]): Quantity | undefined => {
      const isDefault = field === 'default' || field === 'defaultRequest';
      const text = isDefault && item.type === 'Pod' ? undefined : item[field]?.[name];
      return text === undefined ? undefined : parseQuantity(text);
    };
    const above = (low: Quantity | undefined, high: Quantity | undefined): boolean =>
      low !== undefined && high !== undefined && low.compare(high) > 0;
    const [max, min, limit, request] = [amount('max'), amount('min'), amount('default'), amount('defaultRequest')];
    const at = (field: string): FieldPath => path.child(field).key(name);
    const refuse = (field: string, value: Quantity | undefined, text: string) =>
      fieldError.invalid(at(field), goQuantity(String(value)), text);
    if (above(min, max)) yield refuse('min', min, `min value ${min} is greater than max value ${max}`);
    if (above(min, request)) {
      yield refuse('defaultRequest', request, `min value ${min} is greater than default request value ${request}`);
    }
    if (above(request, max)) {
      yield refuse('defaultRequest', request, `default request value ${request} is greater than max value ${max}`);
    }
    if (above(request, limit)) {
      yield refuse(
        'defaultRequest',
        request,
        `default request value ${request} is greater than default limit value ${limit}`,
      );
    }
    if (above(min, limit)) yield refuse('default', min, `min value ${min} is greater than default value ${limit}`);
    if (above(limit, max)) yield refuse('default', max, `default value ${limit} is greater than max value ${max}`);
    yield* validateRatio(amount('maxLimitRequestRatio'), min, max, at('maxLimitRequestRatio'));
    if (!isOvercommitAllowed(name) && limit !== undefined && request !== undefined && limit.compare(request) !== 0) {
      const text = `default value ${limit} must equal to defaultRequest value ${request} in ${name}`;
      yield refuse('defaultRequest', request, text);
    }
  }
}

function* validateRatio(
  ratio: Quantity | undefined,
  min: Quantity | undefined,
  max: Quantity | undefined,
  path: FieldPath,
): Findings {
  if (ratio === undefined) return;
  if (ratio.toNumber() < 1) {
    yield fieldError.invalid(path, goQuantity(String(ratio)), `ratio ${ratio} is less than 1`);
  }
  if (min === undefined || max === undefined) return;
  const limit = max.toNumber() / min.toNumber();
  if (ratio.toNumber() > limit) {
    const text = `ratio ${ratio} is greater than max/min = ${limit.toFixed(6)}`;
    yield fieldError.invalid(path, goQuantity(String(ratio)), text);
  }
}
