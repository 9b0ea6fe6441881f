import type { FlowSchema } from '../../api/generated/flowcontrol-v1.ts';
import { flowSchemas } from '../../api/resources.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateFlowSchema, validateStatus } from './flow-schema-validation.ts';

const DEFAULT_PRECEDENCE = 1000;

export const flowSchema = describe<FlowSchema>(flowSchemas, {
  statusKeepsMetadata: 'all',
  defaults({ spec }) {
    spec.matchingPrecedence ||= DEFAULT_PRECEDENCE;
  },
  validate: validateFlowSchema,
  updateSteps: ['object'],
  validateStatus,
  // As requests are matched.
  compareRows: (a, b) =>
    (a.spec.matchingPrecedence ?? 0) - (b.spec.matchingPrecedence ?? 0) || (a.metadata.name < b.metadata.name ? -1 : 1),
  columns: [
    nameColumn,
    {
      name: 'PriorityLevel',
      type: 'string',
      doc: ['flowcontrol.v1.PriorityLevelConfigurationReference', 'name'],
      cell: ({ spec }) => spec.priorityLevelConfiguration.name,
    },
    {
      name: 'MatchingPrecedence',
      type: 'string',
      doc: ['flowcontrol.v1.FlowSchemaSpec', 'matchingPrecedence'],
      cell: ({ spec }) => spec.matchingPrecedence ?? 0,
    },
    {
      name: 'DistinguisherMethod',
      type: 'string',
      description:
        '`distinguisherMethod` defines how to compute the flow distinguisher for requests that match this schema. `nil` specifies that the distinguisher is disabled and thus will always be the empty string.',
      cell: ({ spec }) => spec.distinguisherMethod?.type ?? '<none>',
    },
    ageColumn,
    {
      name: 'MissingPL',
      type: 'string',
      description: 'references a broken or non-existent PriorityLevelConfiguration',
      cell: ({ status }) => status.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?',
    },
  ],
});
