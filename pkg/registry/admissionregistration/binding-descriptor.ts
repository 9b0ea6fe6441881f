import type { MatchResources, ParamRef } from '../../api/generated/admissionregistration-v1.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { formatLabelSelector } from '../../apimachinery/labels.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { type Descriptor, describe } from '../descriptor.ts';
import { validateBinding } from './validation/policy-binding.ts';
import { defaultMatchResources } from './webhook-defaults.ts';

interface Binding extends KubeObject {
  spec: {
    policyName?: string | undefined;
    paramRef?: ParamRef | undefined;
    matchResources?: MatchResources | undefined;
  };
}

/** What binds a policy to parameters and resources; `actionsOf` reads what becomes of a denial, if there is a choice. */
export function describeBinding<T extends Binding>(
  type: ResourceType<T>,
  actionsOf: (binding: T) => readonly string[] | undefined,
): Descriptor<T> {
  return describe<T>(type, {
    categories: ['api-extensions'],
    generation: true,
    allowUnconditionalUpdate: false,
    defaults({ spec }) {
      if (spec.matchResources !== undefined) defaultMatchResources(spec.matchResources);
    },
    validate: (binding) => validateBinding(binding.spec, actionsOf(binding)),
    updateSteps: ['object'],
    columns: [
      nameColumn,
      {
        name: 'PolicyName',
        type: 'string',
        description: 'PolicyName indicates the policy definition which the policy binding binded to',
        cell: ({ spec }) => spec.policyName ?? '',
      },
      {
        name: 'ParamRef',
        type: 'string',
        description: 'ParamRef indicates the param resource which sets the configration param',
        cell: ({ spec }) => paramText(spec.paramRef),
      },
      ageColumn,
    ],
  });
}

/** `namespace/name`, the name alone, or the selector. */
function paramText(reference: ParamRef | undefined): string {
  if (reference === undefined) return '<unset>';
  const { name = '', namespace, selector } = reference;
  if (selector !== undefined) return formatLabelSelector(selector);
  return namespace ? `${namespace}/${name}` : name;
}
