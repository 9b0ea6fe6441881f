import type { NodeSelectorTerm, PodSpec } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, goStringMap } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';

/** Of a Pod that waits at a scheduling gate, the nodes it may go to can become fewer, not others. */
export function* validateDirections(spec: PodSpec, old: PodSpec): Findings {
  const [after, before] = [spec.nodeSelector ?? {}, old.nodeSelector ?? {}];
  if (Object.entries(before).some(([key, value]) => after[key] !== value)) {
    const text = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)';
    yield fieldError.invalid(SPEC.child('nodeSelector'), goStringMap(spec.nodeSelector), text);
  }
  const terms = spec.affinity?.nodeAffinity?.[REQUIRED]?.nodeSelectorTerms ?? [];
  const had = old.affinity?.nodeAffinity?.[REQUIRED]?.nodeSelectorTerms ?? [];
  const path = SPEC.child('affinity', 'nodeAffinity', REQUIRED).child('nodeSelectorTerms');
  if (had.length > 0 && had.length !== terms.length) {
    const text = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed';
    return yield fieldError.invalid(path, terms as never, text);
  }
  for (const [index, term] of had.entries()) {
    const now = terms[index];
    if (now === undefined || hasOnlyAdditions(now, term)) continue;
    yield fieldError.invalid(path.index(index), now as never, 'only additions are allowed (no mutations or deletions)');
  }
}

function hasOnlyAdditions(term: NodeSelectorTerm, old: NodeSelectorTerm): boolean {
  const fields = ['matchExpressions', 'matchFields'] as const;
  const lengthOf = (of: NodeSelectorTerm, field: (typeof fields)[number]): number => (of[field] ?? []).length;
  // A term without requirements matches nothing: any requirement would make it match more.
  if (fields.every((field) => lengthOf(old, field) === 0)) return fields.every((field) => lengthOf(term, field) === 0);
  return fields.every((field) => semanticEqual((term[field] ?? []).slice(0, lengthOf(old, field)), old[field]));
}
