import type { PodTemplateSpec } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabels } from '../../../apimachinery/labels.ts';
import { isQualifiedName } from '../../../apimachinery/names.ts';
import { each, type Findings } from '../../validation/rules.ts';
import { validatePodSpec } from './pod-spec.ts';

const EMPTY = { containers: [] };

/** Upstream's ValidatePodTemplateSpec. */
export function* validatePodTemplate(template: PodTemplateSpec, path: FieldPath): Findings {
  const metadata = path.child('metadata');
  yield* validateLabels(template.metadata?.labels, path.child('labels'));
  for (const key of Object.keys(template.metadata?.annotations ?? {})) {
    yield* each(path.child('annotations'), key, (name) => isQualifiedName(name.toLowerCase()));
  }
  for (const name of template.metadata?.finalizers ?? []) {
    yield* each(metadata.child('finalizers'), name, isQualifiedName);
  }
  yield* validatePodSpec(template.spec ?? EMPTY, path.child('spec'));
  if ((template.spec?.ephemeralContainers ?? []).length > 0) {
    yield fieldError.forbidden(
      path.child('spec', 'ephemeralContainers'),
      'ephemeral containers not allowed in pod template',
    );
  }
}
