import type { PodTemplate } from '../../api/generated/core-v1.ts';
import { podTemplates } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { containerColumns, labelsText, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { templateWarnings } from './pod-warnings.ts';
import { validatePodTemplate } from './validation/pod-template.ts';

export const podTemplate = describe<PodTemplate>(podTemplates, {
  returnsDeleted: true,
  generation: true,
  defaults({ template }) {
    if (template?.spec !== undefined) defaultPodSpec(template.spec);
  },
  *warnings({ metadata, template }, old) {
    if (metadata.generation !== old?.metadata.generation) yield* templateWarnings(template, FieldPath.of('template'));
  },
  validate: ({ template }) => validatePodTemplate(template, FieldPath.of('template')),
  columns: [
    nameColumn,
    ...containerColumns<PodTemplate>(({ template }) => template.spec?.containers).map((column) => ({
      ...column,
      priority: 0,
    })),
    {
      name: 'Pod Labels',
      type: 'string',
      description: 'The labels for the pod template.',
      cell: ({ template }) => labelsText(template.metadata?.labels),
    },
  ],
});
