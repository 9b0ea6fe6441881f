import type { LabelSelector } from '../../../api/generated/meta-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { type Findings, qualifiedName } from '../../validation/rules.ts';

interface LabelKeys {
  readonly labelSelector?: LabelSelector | null | undefined;
  readonly matchLabelKeys?: readonly string[] | undefined;
  readonly mismatchLabelKeys?: readonly string[] | undefined;
}

/** Upstream's ValidateMatchLabelKeysAndMismatchLabelKeys; of a Pod, the keys have become requirements of its selector. */
export function* validateMatchLabelKeys(term: LabelKeys, path: FieldPath): Findings {
  const selector = term.labelSelector ?? undefined;
  for (const field of ['matchLabelKeys', 'mismatchLabelKeys'] as const) {
    const keys = term[field] ?? [];
    if (keys.length > 0 && selector === undefined) {
      yield fieldError.forbidden(path.child(field), 'must not be specified when labelSelector is not set');
    } else for (const [index, key] of keys.entries()) yield* qualifiedName(path.child(field).index(index), key);
  }
  const keys = term.matchLabelKeys ?? [];
  const selected = new Set(Object.keys(selector?.matchLabels ?? {}));
  for (const { key } of selector?.matchExpressions ?? []) {
    const index = keys.lastIndexOf(key);
    if (index >= 0 && selected.has(key)) {
      yield fieldError.invalid(path.index(index), key, 'exists in both matchLabelKeys and labelSelector');
    }
    selected.add(key);
  }
  for (const [index, key] of keys.entries()) {
    if (!(term.mismatchLabelKeys ?? []).includes(key)) continue;
    const text = 'exists in both matchLabelKeys and mismatchLabelKeys';
    yield fieldError.invalid(path.child('matchLabelKeys').index(index), key, text);
  }
}
