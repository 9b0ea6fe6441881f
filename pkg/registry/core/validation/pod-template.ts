import type { PodTemplateSpec } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabels } from '../../../apimachinery/labels.ts';
import { type Findings, validateAnnotations } from '../../validation/rules.ts';
import { profilesAgree, validatePodAnnotations } from './pod-annotations.ts';
import { validatePodSpec } from './pod-spec.ts';

const EMPTY = { containers: [] };

/** Upstream's ValidatePodTemplateSpec. */
export function* validatePodTemplate(template: PodTemplateSpec, path: FieldPath): Findings {
  const { labels, annotations = {} } = template.metadata ?? {};
  const spec = template.spec ?? EMPTY;
  yield* validateLabels(labels, path.child('labels'));
  yield* validateAnnotations(annotations, path.child('annotations'));
  yield* validatePodAnnotations(annotations, spec, path.child('annotations'));
  yield* validatePodSpec(spec, path.child('spec'), { podName: undefined, isPod: false });
  yield* profilesAgree(annotations, spec, path.child('spec'));
  if ((template.spec?.ephemeralContainers ?? []).length > 0) {
    yield fieldError.forbidden(
      path.child('spec', 'ephemeralContainers'),
      'ephemeral containers not allowed in pod template',
    );
  }
}
