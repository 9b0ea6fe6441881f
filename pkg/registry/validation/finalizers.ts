import { fieldError } from '../../apimachinery/field-error.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import { type Findings, qualifiedName } from './rules.ts';

/** Finalizers without a domain: those of the API server itself. */
const STANDARD: ReadonlySet<string> = new Set(['kubernetes', 'foregroundDeletion', 'orphan']);

/** Upstream's validateKubeFinalizerName. */
export function* finalizerDomain(name: string, path: FieldPath): Findings {
  if (!name.includes('/') && !STANDARD.has(name)) {
    yield fieldError.invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified');
  }
}

/** Upstream's validateFinalizerName. */
export function* validateFinalizer(name: string, path: FieldPath): Findings {
  yield* qualifiedName(path, name);
  yield* finalizerDomain(name, path);
}
