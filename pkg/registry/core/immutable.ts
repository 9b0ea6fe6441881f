import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError } from '../../apimachinery/field-error.ts';

interface MaybeImmutable {
  readonly immutable?: boolean | undefined;
  readonly data?: Readonly<Record<string, string>> | undefined;
  readonly binaryData?: Readonly<Record<string, string>> | undefined;
}

/** ConfigMaps and Secrets that were declared immutable keep their data, and stay immutable. */
export function validateImmutable(object: MaybeImmutable, old: MaybeImmutable): FieldError[] {
  if (old.immutable !== true) return [];
  const text = 'field is immutable when `immutable` is set';
  const errors: FieldError[] = [];
  if (object.immutable !== true) errors.push(fieldError.forbidden('immutable', text));
  if (!semanticEqual(object.data, old.data)) errors.push(fieldError.forbidden('data', text));
  if (!semanticEqual(object.binaryData, old.binaryData)) errors.push(fieldError.forbidden('binaryData', text));
  return errors;
}
