import type { PodSpec } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { containerResources } from '../../../apimachinery/pod-resources.ts';
import { parseQuantity } from '../../../apimachinery/quantity.ts';
import type { Findings } from '../../validation/rules.ts';
import { isHugePages, isPodLevelResource } from './resource-names.ts';
import { resourceName, sortedAmounts, validateResources } from './resources.ts';

const POD_LEVEL = ['cpu', 'hugepages-', 'memory'];

function* podResourceName(name: string, path: FieldPath): Findings {
  const wrong = [...resourceName(name, path)];
  yield* wrong;
  if (wrong.length === 0 && !isPodLevelResource(name)) yield fieldError.notSupported(path, name, POD_LEVEL);
}

/** Upstream's validatePodResources: what a Pod says of all its containers together; `specPath` is the spec's. */
export function* validatePodResources(spec: PodSpec, claims: ReadonlySet<string>, specPath: FieldPath): Findings {
  const { resources, os } = spec;
  const path = specPath.child('resources');
  if (resources === undefined) return;
  if (os?.name === 'windows') return yield fieldError.forbidden(path, 'may not be set for a windows pod');
  if (resources.claims !== undefined) {
    yield fieldError.forbidden(path.child('claims'), 'claims may not be set for Resources at pod-level');
  }
  yield* validateResources(resources, claims, path, podResourceName);
  yield* consistency(spec, path);
}

/** Upstream's validatePodResourceConsistency: containers fit into what their Pod has. */
function* consistency(spec: PodSpec, path: FieldPath): Findings {
  const { requests = {}, limits = {} } = spec.resources ?? {};
  for (const [name, sum] of [...containerResources(spec, 'requests')].sort()) {
    const amount = requests[name];
    if (amount === undefined || sum.compare(parseQuantity(amount)) <= 0) continue;
    const text = `must be greater than or equal to aggregate container requests of ${sum}`;
    yield fieldError.invalid(path.child('requests').key(name), amount, text);
  }
  for (const [name, sum] of [...containerResources(spec, 'limits')].sort()) {
    const amount = limits[name];
    if (!isHugePages(name) || amount === undefined || sum.compare(parseQuantity(amount)) <= 0) continue;
    const text = `must be greater than or equal to aggregate container limits of ${sum}`;
    yield fieldError.invalid(path.child('limits').key(name), amount, text);
  }
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [name, amount] of sortedAmounts(container.resources?.limits)) {
      const limit = limits[name];
      if (limit === undefined || parseQuantity(amount).compare(parseQuantity(limit)) <= 0) continue;
      const at = path.child('containers').index(index).key(name).child('limits');
      yield fieldError.invalid(at, amount, `must be less than or equal to pod limits of ${limit}`);
    }
  }
}
