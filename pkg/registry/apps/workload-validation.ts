import type { PodTemplateSpec } from '../../api/generated/core-v1.ts';
import type { LabelSelector } from '../../api/generated/meta-v1.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError, goStringMap } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { labelMatcher, validateLabelSelector, validateLabels } from '../../apimachinery/labels.ts';
import { validatePodSpec } from '../core/pod-validation.ts';

interface WorkloadSpec {
  readonly replicas?: number | undefined;
  readonly selector: LabelSelector | null;
  readonly template: PodTemplateSpec;
}

/** What the specs of Deployments, ReplicaSets and their kin have in common. */
export function validateWorkloadSpec(spec: WorkloadSpec): FieldError[] {
  const path = FieldPath.of('spec');
  const errors: FieldError[] = [];
  if ((spec.replicas ?? 0) < 0) {
    errors.push(fieldError.invalid(path.child('replicas'), spec.replicas, 'must be greater than or equal to 0'));
  }
  const { selector, template } = spec;
  const labels = template.metadata?.labels;
  if (selector === null) errors.push(fieldError.required(path.child('selector')));
  else {
    const wrong = validateLabelSelector(selector, path.child('selector'));
    errors.push(...wrong);
    if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
      const text = 'empty selector is invalid for deployment';
      errors.push(fieldError.invalid(path.child('selector'), selector as never, text));
    }
    if (wrong.length === 0 && !labelMatcher(selector).matches(labels)) {
      const at = path.child('template', 'metadata', 'labels');
      errors.push(fieldError.invalid(at, goStringMap(labels), '`selector` does not match template `labels`'));
    }
  }
  errors.push(...validateLabels(labels, path.child('template', 'metadata', 'labels')));
  errors.push(...validatePodSpec(template.spec ?? { containers: [] }, path.child('template', 'spec')));
  const restart = template.spec?.restartPolicy;
  if (restart !== 'Always') {
    errors.push(fieldError.notSupported(path.child('template', 'spec', 'restartPolicy'), restart, ['Always']));
  }
  return errors;
}

/** A selector is chosen once. */
export function validateSelectorUnchanged(spec: WorkloadSpec, old: WorkloadSpec): FieldError[] {
  if (semanticEqual(spec.selector, old.selector)) return [];
  return [fieldError.invalid('spec.selector', spec.selector as never, 'field is immutable')];
}
