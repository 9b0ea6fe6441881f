import type { Secret } from '../../api/generated/core-v1.ts';
import { secrets } from '../../api/resources.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { unchanged } from '../validation/rules.ts';
import { validateImmutable } from './immutable.ts';
import { secretWarnings } from './secret-warnings.ts';
import { validateSecret } from './validation/secret.ts';

export const secret = describe<Secret>(secrets, {
  defaults(draft) {
    draft.type ||= 'Opaque';
    // Written in clear, stored encoded.
    for (const [key, value] of Object.entries(draft.stringData ?? {})) {
      draft.data = { ...draft.data, [key]: Buffer.from(value, 'utf8').toString('base64') };
    }
    delete draft.stringData;
  },
  warnings: (object) => secretWarnings(object),
  validate: validateSecret,
  *validateUpdate(object, old) {
    yield* unchanged(FieldPath.of('type'), object.type, old.type);
    yield* validateImmutable(object, old);
  },
  updateSteps: ['metadata', 'change', 'object'],
  selectableFields: { type: { read: (object) => object.type ?? '' } },
  columns: [
    nameColumn,
    { name: 'Type', type: 'string', doc: ['core.v1.Secret', 'type'], cell: (object) => object.type ?? '' },
    {
      name: 'Data',
      type: 'string',
      doc: ['core.v1.Secret', 'data'],
      cell: (object) => Object.keys(object.data ?? {}).length,
    },
    ageColumn,
  ],
});
