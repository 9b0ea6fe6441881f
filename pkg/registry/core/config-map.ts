import type { ConfigMap } from '../../api/generated/core-v1.ts';
import { configMaps } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath, WHOLE_OBJECT } from '../../apimachinery/field-path.ts';
import { isConfigMapKey } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { each, type Findings } from '../validation/rules.ts';
import { validateImmutable } from './immutable.ts';

const MAX_BYTES = 1024 * 1024;

/** Upstream's ValidateConfigMap. */
function* validateConfigMap({ data = {}, binaryData = {} }: ConfigMap): Findings {
  let total = 0;
  for (const [key, value] of Object.entries(data)) {
    yield* each(FieldPath.of('data').key(key), key, isConfigMapKey);
    if (binaryData[key] !== undefined) {
      yield fieldError.invalid(FieldPath.of('data').key(key), key, 'duplicate of key present in binaryData');
    }
    total += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(binaryData)) {
    yield* each(FieldPath.of('binaryData').key(key), key, isConfigMapKey);
    total += Buffer.byteLength(value, 'base64');
  }
  if (total > MAX_BYTES) yield fieldError.tooLong(WHOLE_OBJECT, MAX_BYTES);
}

export const configMap = describe<ConfigMap>(configMaps, {
  shortNames: ['cm'],
  validate: validateConfigMap,
  validateUpdate: validateImmutable,
  updateSteps: ['metadata', 'change', 'object'],
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
