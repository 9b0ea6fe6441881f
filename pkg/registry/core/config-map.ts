import type { ConfigMap } from '../../api/generated/core-v1.ts';
import { configMaps } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { isConfigMapKey } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { validateImmutable } from './immutable.ts';

export const configMap = describe<ConfigMap>(configMaps, {
  shortNames: ['cm'],
  validate: ({ data, binaryData }) =>
    Object.keys({ ...data, ...binaryData }).flatMap((key) => {
      const field = data?.[key] === undefined ? 'binaryData' : 'data';
      return isConfigMapKey(key).map((text) => fieldError.invalid(`${field}[${key}]`, key, text));
    }),
  validateUpdate: validateImmutable,
  columns: [
    nameColumn,
    {
      name: 'Data',
      type: 'string',
      doc: ['core.v1.ConfigMap', 'data'],
      cell: ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    },
    ageColumn,
  ],
});
