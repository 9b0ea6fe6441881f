import type { LimitRange, LimitRangeItem } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isQualifiedName } from '../../../apimachinery/names.ts';
import { parseQuantity, type Quantity } from '../../../apimachinery/quantity.ts';
import type { Findings } from '../../validation/rules.ts';
import { isStandardContainerResource } from './resource-names.ts';
import { goQuantity, resourceName } from './resources.ts';

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
    for (const field of FIELDS) {
      const isDefault = field === 'default' || field === 'defaultRequest';
      if (isDefault && item.type === 'Pod' && Object.keys(item[field] ?? {}).length > 0) {
        yield fieldError.forbidden(path.child(field), "may not be specified when `type` is 'Pod'");
        continue;
      }
      for (const name of Object.keys(item[field] ?? {}).sort()) {
        yield* limitResource(item.type, name, path.child(field).key(name));
      }
    }
    yield* validateOrder(item, path);
  }
}

function* validateType(type: string, path: FieldPath): Findings {
  const wrong = isQualifiedName(type);
  for (const text of wrong) yield fieldError.invalid(path, type, text);
  if (wrong.length === 0 && !type.includes('/') && !TYPES.has(type)) {
    yield fieldError.invalid(path, type, 'must be a standard limit type or fully qualified');
  }
}

function* limitResource(type: string, name: string, path: FieldPath): Findings {
  if (type === 'Pod' || type === 'Container') {
    yield* resourceName(name, path);
    if (!name.includes('/') && !isStandardContainerResource(name)) {
      yield fieldError.invalid(path, name, 'must be a standard resource for containers');
    }
  } else yield* resourceName(name, path);
}

/** Min ≤ default request ≤ default ≤ max, and a ratio that can be met. */
function* validateOrder(item: LimitRangeItem, path: FieldPath): Findings {
  const names = new Set(FIELDS.flatMap((field) => Object.keys(item[field] ?? {})));
  for (const name of [...names].sort()) {
    const amount = (field: (typeof FIELDS)[number]): Quantity | undefined => {
      const text = item[field]?.[name];
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
