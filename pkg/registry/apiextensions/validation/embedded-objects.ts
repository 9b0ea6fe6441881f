/** Objects within custom resources (x-kubernetes-embedded-resource) have to say what they are. */
import type { JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import type { Json, JsonObject } from '../../../api/schema.ts';
import type { KubeObject } from '../../../api/types.ts';
import { additionalOf, itemsOf } from '../../../apimachinery/custom/structural-schema.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { getKey, isJsonObject } from '../../../apimachinery/json.ts';
import { isDns1035Label, nameIsPathSegment } from '../../../apimachinery/names.ts';
import { validateObjectMeta } from '../../validation/object-meta.ts';

/** What is wrong with the objects in `value`, which stands at `path` and is of the schema `props`. */
export function embeddedErrors(value: Json, props: JSONSchemaProps, path: string): FieldError[] {
  if (Array.isArray(value)) {
    const items = itemsOf(props);
    if (items === undefined) return [];
    return value.flatMap((item, index) => embeddedErrors(item, items, `${path}[${index}]`));
  }
  if (!isJsonObject(value)) return [];
  const errors = props['x-kubernetes-embedded-resource'] === true ? typeErrors(value, path) : [];
  const additional = additionalOf(props);
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const own = props.properties?.[name];
    const schema = own ?? (additional === true ? undefined : additional);
    if (schema === undefined) continue;
    const at = own === undefined ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
    errors.push(...embeddedErrors(item, schema, at));
  }
  return errors;
}

function typeErrors(object: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ['apiVersion', 'kind']) {
    const at = `${path}.${name}`;
    const value = getKey(object, name);
    if (value === undefined) errors.push(fieldError.required(at));
    else if (typeof value !== 'string') errors.push(fieldError.invalid(at, value, 'must be a string'));
    else if (value === '') errors.push(fieldError.invalid(at, value, 'must not be empty'));
    else if (name === 'kind') {
      const wrong = isDns1035Label(value.toLowerCase());
      const text = `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
      if (wrong.length > 0) errors.push(fieldError.invalid(at, value, text));
    } else if (value.split('/').length > 2) {
      errors.push(fieldError.invalid(at, value, `unexpected GroupVersion string: ${value}`));
    }
  }
  const metadata = getKey(object, 'metadata');
  if (!isJsonObject(metadata)) return errors;
  const meta = metadata as unknown as KubeObject['metadata'];
  const type = { group: '', namespaced: (meta.namespace ?? '') !== '' };
  const shape = { type, custom: true, validateName: nameIsPathSegment };
  // It may do without a name.
  const named = { metadata: { ...meta, name: meta.name || 'none' } };
  return [...errors, ...validateObjectMeta(shape, named, FieldPath.of(`${path}.metadata`))];
}
