import type { Node, Taint } from '../../../api/generated/core-v1.ts';
import { fieldError, goStringSlice, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isLabelValue, isQualifiedName } from '../../../apimachinery/names.ts';
import { parseCIDR } from '../../../base/ip.ts';
import { cidr, each, type Findings, oneOf, unchanged } from '../../validation/rules.ts';

const SPEC = FieldPath.of('spec');
/** Where upstream says that taints stand. */
const TAINTS = FieldPath.of('metadata', 'taints');
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** Upstream's ValidateNode. */
export function* validateNode({ spec }: Node): Findings {
  yield* validateTaints(spec.taints ?? []);
  const ranges = spec.podCIDRs ?? [];
  for (const [index, range] of ranges.entries()) yield* cidr(SPEC.child('podCIDRs').index(index), range);
  if (ranges.length < 2) return;
  const families = ranges.map((range) => parseCIDR(range)?.family);
  if (ranges.length > 2 || families[0] === families[1]) {
    const text = 'may specify no more than one CIDR for each IP family';
    yield fieldError.invalid(SPEC.child('podCIDRs'), goStringSlice(ranges), text);
  }
}

function* validateTaints(taints: readonly Taint[]): Findings {
  const seen = new Set<string>();
  for (const [index, { key, value = '', effect }] of taints.entries()) {
    const path = TAINTS.index(index);
    yield* each(path.child('key'), key, isQualifiedName);
    const wrong = isLabelValue(value);
    if (wrong.length > 0) yield fieldError.invalid(path.child('value'), value, wrong.join(';'));
    yield* oneOf(path.child('effect'), effect, EFFECTS);
    if (seen.has(`${key}/${effect}`)) {
      const told = `core.Taint{Key:${JSON.stringify(key)}, Value:${JSON.stringify(value)}, Effect:${JSON.stringify(effect)}, TimeAdded:<nil>}`;
      const error = fieldError.duplicate(path, new Verbatim(told));
      yield { ...error, body: `${error.body}: taints must be unique by key and effect pair` };
    }
    seen.add(`${key}/${effect}`);
  }
}

/** Upstream's ValidateNodeUpdate: what was allocated stays. */
export function* validateNodeUpdate({ spec }: Node, old: Node): Findings {
  if ((old.spec.podCIDRs ?? []).length > 0) {
    yield* unchangedText(SPEC.child('podCIDRs'), spec.podCIDRs, old.spec.podCIDRs);
  }
  if (old.spec.providerID) yield* unchangedText(SPEC.child('providerID'), spec.providerID, old.spec.providerID);
}

function* unchangedText(path: FieldPath, value: unknown, old: unknown): Findings {
  if (unchanged(path, value, old).next().done) return;
  yield fieldError.forbidden(path, 'node updates may not change podCIDR except from "" to valid');
}
