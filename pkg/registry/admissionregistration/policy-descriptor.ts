import type { MatchResources, ParamKind } from '../../api/generated/admissionregistration-v1.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { type Column, type Descriptor, type DescriptorInput, describe } from '../descriptor.ts';
import { defaultMatchResources } from './webhook-defaults.ts';

interface Policy extends KubeObject {
  spec: {
    failurePolicy?: string | undefined;
    matchConstraints?: MatchResources | undefined;
    paramKind?: ParamKind | undefined;
  };
}

type Given<T extends Policy> = Pick<DescriptorInput<T>, 'statusKeepsMetadata' | 'validate' | 'validateStatus'> & {
  /** How many rules the policy has. */
  readonly counted: Column<T>;
};

/** A policy in CEL, validating or mutating. */
export function describePolicy<T extends Policy>(
  type: ResourceType<T>,
  { counted, ...rules }: Given<T>,
): Descriptor<T> {
  return describe<T>(type, {
    categories: ['api-extensions'],
    generation: true,
    allowUnconditionalUpdate: false,
    defaults({ spec }) {
      spec.failurePolicy ??= 'Fail';
      if (spec.matchConstraints !== undefined) defaultMatchResources(spec.matchConstraints);
    },
    updateSteps: ['object'],
    ...rules,
    columns: [
      nameColumn,
      counted,
      {
        name: 'ParamKind',
        type: 'string',
        description: 'ParamKind specifies the kind of resources used to parameterize this policy',
        cell: ({ spec: { paramKind } }) =>
          paramKind === undefined ? '<unset>' : `${paramKind.apiVersion ?? ''}/${paramKind.kind ?? ''}`,
      },
      ageColumn,
    ],
  });
}
