/** The fields of custom resources that field selectors may name. */
import type { JSONSchemaProps, SelectableField } from '../../../api/generated/apiextensions-v1.ts';
import { additionalOf } from '../../../apimachinery/custom/structural-schema.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';

const MOST_FIELDS = 8;
const TYPES: readonly string[] = ['string', 'boolean', 'integer'];

/** What is wrong with the selectable fields of a version that has this schema. */
export function* validateSelectable(
  fields: readonly SelectableField[],
  schema: JSONSchemaProps,
  path: FieldPath,
): Findings {
  const seen = new Set<string>();
  for (const [index, { jsonPath }] of fields.entries()) {
    const at = path.index(index).child('jsonPath');
    const found = jsonPath ? schemaAt(jsonPath, schema) : undefined;
    if (found === undefined) {
      yield fieldError.required(at);
      continue;
    }
    if (typeof found === 'string') {
      yield fieldError.invalid(at, jsonPath, `is an invalid path: ${found}`);
      continue;
    }
    if (/^\.metadata(\.|$)/.test(jsonPath)) {
      yield fieldError.invalid(at, jsonPath, 'must not point to fields in metadata');
    }
    if (!TYPES.includes(found.type ?? '')) {
      const text =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      yield fieldError.invalid(at, jsonPath, text);
    }
    if (seen.has(jsonPath)) yield fieldError.duplicate(at, jsonPath);
    seen.add(jsonPath);
  }
  if (seen.size > MOST_FIELDS) yield fieldError.tooMany(path, seen.size, MOST_FIELDS);
}

/** The schema of the field at a path of names, or what is wrong with the path. */
function schemaAt(jsonPath: string, root: JSONSchemaProps): JSONSchemaProps | string {
  const tokens = jsonPath.match(/[.[\]]|[^.[\]]+/g) ?? [];
  let schema = root;
  for (let at = 0; at < tokens.length; at += 2) {
    if (tokens[at] === '[') return 'array notation is not allowed';
    if (tokens[at] !== '.') return `expected [ or . but got: ${tokens[at]}`;
    const name = tokens[at + 1];
    if (name === undefined) return 'unexpected end of JSON path';
    const additional = additionalOf(schema);
    const isNamed = Object.keys(schema.properties ?? {}).length > 0;
    const below = isNamed ? schema.properties?.[name] : additional === true ? {} : additional;
    if (below === undefined) return 'does not refer to a valid field';
    schema = below;
  }
  return schema;
}
