import { fieldError } from '../../apimachinery/field-error.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import { isDns1123Label, isDns1123Subdomain } from '../../apimachinery/names.ts';
import type { Findings } from './rules.ts';

/** Upstream's IsFullyQualifiedName: a domain of at least three labels. */
export function* fullyQualifiedName(path: FieldPath, value: string): Findings {
  if (!value) return yield fieldError.required(path);
  const wrong = isDns1123Subdomain(value);
  if (wrong.length > 0) return yield fieldError.invalid(path, value, wrong.join(','));
  if (value.split('.').length < 3) {
    yield fieldError.invalid(path, value, 'should be a domain with at least three segments separated by dots');
  }
}

/** Upstream's IsFullyQualifiedDomainName: at least two labels, of which the last may be the root. */
export function* fullyQualifiedDomain(path: FieldPath, value: string): Findings {
  if (!value) return yield fieldError.required(path);
  const name = value.replace(/\.$/, '');
  const wrong = isDns1123Subdomain(name);
  if (wrong.length > 0) return yield fieldError.invalid(path, name, wrong.join(','));
  const labels = name.split('.');
  if (labels.length < 2) {
    return yield fieldError.invalid(path, name, 'should be a domain with at least two segments separated by dots');
  }
  for (const label of labels) {
    const errors = isDns1123Label(label);
    if (errors.length > 0) return yield fieldError.invalid(path, label, errors.join(','));
  }
}
