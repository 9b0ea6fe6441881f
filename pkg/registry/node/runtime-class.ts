import type { Toleration } from '../../api/generated/core-v1.ts';
import type { RuntimeClass } from '../../api/generated/node-v1.ts';
import { runtimeClasses } from '../../api/resources.ts';
import { fieldError, Verbatim } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { nodeLabelWarning } from '../core/node-label-warnings.ts';
import { roundAmounts } from '../core/resource-list.ts';
import { validateResources } from '../core/validation/resources.ts';
import { validateTolerations } from '../core/validation/scheduling.ts';
import { describe } from '../descriptor.ts';
import { dnsLabel, type Findings, unchanged } from '../validation/rules.ts';

/** Upstream's ValidateRuntimeClass. */
function* validate({ handler, overhead, scheduling }: RuntimeClass): Findings {
  yield* dnsLabel(FieldPath.of('handler'), handler);
  if (overhead !== undefined) {
    // The amounts are judged as the limits of a container, and told of as such.
    yield* validateResources({ limits: overhead.podFixed }, new Set(), FieldPath.of('overhead'));
  }
  if (scheduling === undefined) return;
  const path = FieldPath.of('scheduling');
  yield* validateLabels(scheduling.nodeSelector, path.child('nodeSelector'));
  const tolerations = scheduling.tolerations ?? [];
  const at = path.child('tolerations');
  // Upstream adds the field's name twice.
  yield* validateTolerations(tolerations, at.child('tolerations'));
  const seen = new Set<string>();
  for (const [index, toleration] of tolerations.entries()) {
    const { key = '', operator = '', value = '', effect = '' } = toleration;
    const text = JSON.stringify([key, operator, value, effect]);
    if (seen.has(text)) yield fieldError.duplicate(at.index(index), goToleration(toleration));
    seen.add(text);
  }
}

/** A toleration as Go prints the struct; a pointer has no text that would be the same twice. */
function goToleration({ key = '', operator = '', value = '', effect = '', tolerationSeconds }: Toleration): Verbatim {
  const seconds = tolerationSeconds === undefined ? '(*int64)(nil)' : '(*int64)(0xc000000000)';
  const fields = Object.entries({ Key: key, Operator: operator, Value: value, Effect: effect });
  const texts = fields.map(([name, text]) => `${name}:${JSON.stringify(text)}`);
  return new Verbatim(`core.Toleration{${texts.join(', ')}, TolerationSeconds:${seconds}}`);
}

export const runtimeClass = describe<RuntimeClass>(runtimeClasses, {
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  *warnings({ scheduling }) {
    for (const key of Object.keys(scheduling?.nodeSelector ?? {}).sort()) {
      const text = nodeLabelWarning(key);
      if (text !== undefined) yield `scheduling.nodeSelector: ${text}`;
    }
  },
  defaults: ({ overhead }) => roundAmounts(overhead?.podFixed),
  validate,
  updateSteps: ['object', 'metadata', 'change'],
  validateUpdate: ({ handler }, old) => unchanged(FieldPath.of('handler'), handler, old.handler),
  columns: [
    nameColumn,
    { name: 'Handler', type: 'string', description: '', cell: ({ handler }) => handler },
    ageColumn,
  ],
});
