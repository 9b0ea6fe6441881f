import type { PodSpec } from '../../../api/generated/core-v1.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { AnyContainer } from './mounts.ts';

/** Containers of every kind with their paths, in the order in which upstream visits them; `path` is the spec's. */
export function* allContainers(spec: PodSpec, path: FieldPath): Generator<[container: AnyContainer, path: FieldPath]> {
  for (const field of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const [index, container] of (spec[field] ?? []).entries()) yield [container, path.child(field).index(index)];
  }
}
