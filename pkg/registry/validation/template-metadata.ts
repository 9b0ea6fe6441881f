import type { ObjectMeta } from '../../api/generated/meta-v1.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { type Findings, validateAnnotations } from './rules.ts';

/** What may not be set, in the order of Go's struct. */
const SERVERS = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'ownerReferences',
  'finalizers',
  'managedFields',
] as const;

/** Upstream's ValidateTemplateObjectMeta: the metadata of objects to be has nothing but labels and annotations. */
export function* validateTemplateMetadata(metadata: Partial<ObjectMeta> | undefined, path: FieldPath): Findings {
  yield* validateAnnotations(metadata?.annotations, path.child('annotations'));
  yield* validateLabels(metadata?.labels, path.child('labels'));
  for (const field of SERVERS) {
    const value = metadata?.[field];
    const isSet = Array.isArray(value) ? value.length > 0 : Boolean(value);
    if (isSet) yield fieldError.forbidden(path.child(field === 'uid' ? 'uID' : field), 'cannot be set');
  }
}
