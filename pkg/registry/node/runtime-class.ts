import type { RuntimeClass } from '../../api/generated/node-v1.ts';
import { runtimeClasses } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { nodeLabelWarning } from '../core/node-label-warnings.ts';
import { resourceAmount, resourceName, sortedAmounts } from '../core/validation/resources.ts';
import { validateTolerations } from '../core/validation/scheduling.ts';
import { describe } from '../descriptor.ts';
import { dnsLabel, type Findings, unchanged } from '../validation/rules.ts';

/** Upstream's ValidateRuntimeClass. */
function* validate({ handler, overhead, scheduling }: RuntimeClass): Findings {
  yield* dnsLabel(FieldPath.of('handler'), handler);
  for (const [name, amount] of sortedAmounts(overhead?.podFixed)) {
    // The amounts are judged as the limits of a container, and told of as such.
    const at = FieldPath.of('overhead', 'limits').key(name);
    yield* resourceName(name, at);
    yield* resourceAmount(name, amount, at);
  }
  if (scheduling === undefined) return;
  const path = FieldPath.of('scheduling');
  yield* validateLabels(scheduling.nodeSelector, path.child('nodeSelector'));
  yield* validateTolerations(scheduling.tolerations ?? [], path.child('tolerations'));
}

export const runtimeClass = describe<RuntimeClass>(runtimeClasses, {
  allowUnconditionalUpdate: false,
  *warnings({ scheduling }) {
    for (const key of Object.keys(scheduling?.nodeSelector ?? {}).sort()) {
      const text = nodeLabelWarning(key);
      if (text !== undefined) yield `scheduling.nodeSelector: ${text}`;
    }
  },
  validate,
  validateUpdate: ({ handler }, old) => unchanged(FieldPath.of('handler'), handler, old.handler),
  columns: [
    nameColumn,
    { name: 'Handler', type: 'string', description: '', cell: ({ handler }) => handler },
    ageColumn,
  ],
});
