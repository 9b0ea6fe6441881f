import type { Secret } from '../../api/generated/core-v1.ts';
import { secrets } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
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
  validateUpdate(object, old) {
    const errors = validateImmutable(object, old);
    if (object.type !== old.type) errors.push(fieldError.invalid('type', object.type, 'field is immutable'));
    return errors;
  },
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
