import type { ControllerRevision } from '../../api/generated/apps-v1.ts';
import { controllerRevisions } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { controllerOf } from '../../apimachinery/object-meta.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { nonNegative, unchanged } from '../validation/rules.ts';

/** `deployment.apps/web`. */
function controllerText(revision: ControllerRevision): string {
  const owner = controllerOf(revision);
  if (owner === undefined) return '<none>';
  const [group] = owner.apiVersion.includes('/') ? owner.apiVersion.split('/') : [''];
  return `${owner.kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${owner.name}`;
}

export const controllerRevision = describe<ControllerRevision>(controllerRevisions, {
  *validate({ data, revision }) {
    if (data === undefined || data === null) yield fieldError.required(FieldPath.of('data'), 'data is mandatory');
    yield* nonNegative(FieldPath.of('revision'), revision);
  },
  updateSteps: ['metadata', 'object', 'change'],
  validateUpdate: ({ data }, old) => unchanged(FieldPath.of('data'), data, old.data),
  columns: [
    nameColumn,
    { name: 'Controller', type: 'string', description: 'Controller of the object', cell: controllerText },
    {
      name: 'Revision',
      type: 'string',
      doc: ['apps.v1.ControllerRevision', 'revision'],
      cell: ({ revision }) => revision,
    },
    ageColumn,
  ],
});
