import type { DaemonSet } from '../../api/generated/apps-v1.ts';
import { daemonSets } from '../../api/resources.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { ageColumn, labelsText, nameColumn, templateColumns } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { workloadWarnings } from '../core/pod-warnings.ts';
import { type Column, describe } from '../descriptor.ts';
import { validateDaemonSet, validateDaemonSetStatus, validateDaemonSetUpdate } from './validation/daemon-set.ts';

/** What became of the field templateGeneration of earlier versions: counts the changes of the template. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

const count = (name: string, field: Counted): Column<DaemonSet> => ({
  name,
  type: 'integer',
  doc: ['apps.v1.DaemonSetStatus', field],
  cell: ({ status }) => status[field] ?? 0,
});

type Counted =
  | 'desiredNumberScheduled'
  | 'currentNumberScheduled'
  | 'numberReady'
  | 'updatedNumberScheduled'
  | 'numberAvailable';

export const daemonSet = describe<DaemonSet>(daemonSets, {
  shortNames: ['ds'],
  categories: ['all'],
  inTables(object) {
    const { [TEMPLATE_GENERATION]: _, ...annotations } = object.metadata.annotations ?? {};
    const { annotations: _a, ...metadata } = object.metadata;
    const hasSome = Object.keys(annotations).length > 0;
    return { ...object, metadata: { ...metadata, ...(hasSome ? { annotations } : {}) } };
  },
  warnings: (object, old) => workloadWarnings(object, old, false),
  validate: validateDaemonSet,
  validateUpdate: validateDaemonSetUpdate,
  updateSteps: ['object', 'metadata', 'content', 'change'],
  validateStatus: validateDaemonSetStatus,
  columns: [
    nameColumn,
    count('Desired', 'desiredNumberScheduled'),
    count('Current', 'currentNumberScheduled'),
    count('Ready', 'numberReady'),
    count('Up-to-date', 'updatedNumberScheduled'),
    count('Available', 'numberAvailable'),
    {
      name: 'Node Selector',
      type: 'string',
      doc: ['core.v1.PodSpec', 'nodeSelector'],
      cell: ({ spec }) => labelsText(spec.template.spec?.nodeSelector),
    },
    ageColumn,
    ...templateColumns(
      "A label query over pods that are managed by the daemon set. Must match in order to be controlled. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
  ],
  defaults({ spec }) {
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ||= 'RollingUpdate';
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate = { maxUnavailable: 1, maxSurge: 0, ...spec.updateStrategy.rollingUpdate };
    }
    spec.revisionHistoryLimit ??= 10;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
  },
  prepareForCreate(draft) {
    setTemplateGeneration(draft, Math.max(1, templateGeneration(draft)));
  },
  prepareForUpdate(draft, old) {
    const changed = !semanticEqual(draft.spec.template, old.spec.template);
    setTemplateGeneration(draft, templateGeneration(old) + (changed ? 1 : 0));
  },
});

function templateGeneration({ metadata }: DaemonSet): number {
  const text = metadata.annotations?.[TEMPLATE_GENERATION] ?? '';
  return /^\d+$/.test(text) ? Number(text) : 0;
}

function setTemplateGeneration({ metadata }: DaemonSet, generation: number): void {
  metadata.annotations = { ...metadata.annotations, [TEMPLATE_GENERATION]: String(generation) };
}
