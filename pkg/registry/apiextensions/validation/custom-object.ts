/** Validation of custom resources: by their schema, and by what a scale subresource needs. */
import type { CustomResourceSubresourceScale, JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import type { Json, JsonObject } from '../../../api/schema.ts';
import type { KubeObject } from '../../../api/types.ts';
import { fieldNames, parseJsonPath } from '../../../apimachinery/custom/json-path.ts';
import { validateLists, validateValue } from '../../../apimachinery/custom/validate-value.ts';
import { type FieldError, fieldError } from '../../../apimachinery/field-error.ts';
import { goValueText } from '../../../apimachinery/go-value.ts';
import { getKey, isJsonObject } from '../../../apimachinery/json.ts';
import { parseLabelSelector } from '../../../apimachinery/label-parser.ts';
import { embeddedErrors } from './embedded-objects.ts';

const MAX_INT32 = 2 ** 31 - 1;

/** Judges a custom resource beyond its schema, with the object it replaces: the place of rules in CEL. */
export type CustomRules = (object: JsonObject, old: JsonObject | undefined) => Iterable<FieldError>;

export interface CustomValidation {
  validateCreate(object: KubeObject): FieldError[];
  validateUpdate(object: KubeObject, old: KubeObject): FieldError[];
  /** Judges a write of the status: of the rest only what concerns the object as a whole. */
  validateStatus(object: KubeObject, old: KubeObject): FieldError[];
}

/** The validation of one version of a custom resource. `rules` are asked when nothing else is wrong. */
export function validateCustom(
  props: JSONSchemaProps,
  scale: CustomResourceSubresourceScale | undefined,
  rules: CustomRules = () => [],
): CustomValidation {
  const statusProps = props.properties?.['status'];
  const paths = [scale?.specReplicasPath, scale?.statusReplicasPath];
  /** Lists that had duplicates before may have them still. */
  const listErrors = (json: JsonObject, old: JsonObject | undefined): FieldError[] => {
    const found = validateLists(json, props);
    return found.length > 0 && old !== undefined && validateLists(old, props).length > 0 ? [] : found;
  };
  const judge = (object: KubeObject, old: KubeObject | undefined): FieldError[] => {
    const [json, before] = [object, old] as unknown as [JsonObject, JsonObject | undefined];
    const found = [
      ...validateValue(json, props, '', before),
      ...scaleErrors(json, paths, scale?.labelSelectorPath),
      ...embeddedErrors(json, props, ''),
      ...listErrors(json, before),
    ];
    return found.length > 0 ? found : [...rules(json, before)];
  };
  return {
    validateCreate: (object) => judge(object, undefined),
    validateUpdate: (object, old) => judge(object, old),
    validateStatus(object, old) {
      const [json, before] = [object, old] as unknown as [JsonObject, JsonObject];
      const status = json['status'];
      const judged = status !== undefined && statusProps !== undefined;
      const found = [
        ...(judged ? validateValue(status, statusProps, '', before['status']).map(inStatus) : []),
        ...scaleErrors(json, paths.slice(1), scale?.labelSelectorPath),
        ...listErrors(json, before),
      ];
      return found.length > 0 ? found : [...rules(json, before)];
    },
  };
}

/** The field of an error within the status, whose text knows nothing of what is above it. */
function inStatus(error: FieldError): FieldError {
  const { field } = error;
  return field === '<nil>' ? error : { ...error, field: field === '' ? 'status' : `status.${field}` };
}

function scaleErrors(
  object: JsonObject,
  paths: readonly (string | undefined)[],
  selectorPath: string | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const path of paths) {
    if (path === undefined) continue;
    const found = nested(object, path, 'int64');
    if (found instanceof Error) errors.push(fieldError.invalid(path, 0, found.message));
    else if (typeof found !== 'number') continue;
    else if (found < 0) errors.push(fieldError.invalid(path, found, 'should be a non-negative integer'));
    else if (found > MAX_INT32) {
      errors.push(fieldError.invalid(path, found, `should be less than or equal to ${MAX_INT32}`));
    }
  }
  if (!selectorPath) return errors;
  const selector = nested(object, selectorPath, 'string');
  if (selector instanceof Error) errors.push(fieldError.invalid(selectorPath, '', selector.message));
  else if (typeof selector === 'string' && selector !== '') {
    try {
      parseLabelSelector(selector);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      errors.push(fieldError.invalid(selectorPath, selector, text));
    }
  }
  return errors;
}

/** The value at a path of fields; an Error where something on the way, or the value itself, is of another type. */
function nested(object: JsonObject, path: string, type: 'int64' | 'string'): Json | undefined | Error {
  const wrong = (value: Json, expected: string): Error =>
    new Error(`${path} accessor error: ${goValueText(value)} is of the type ${goType(value)}, expected ${expected}`);
  let value: Json | undefined = object;
  for (const name of fieldNames(parseJsonPath(path)) ?? []) {
    if (value === undefined || value === null) return undefined;
    if (!isJsonObject(value)) return wrong(value, 'map[string]interface{}');
    value = getKey(value, name);
  }
  if (value === undefined) return undefined;
  const fits = type === 'string' ? typeof value === 'string' : typeof value === 'number' && Number.isInteger(value);
  return fits ? value : wrong(value, type);
}

function goType(value: Json): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : 'map[string]interface {}';
}
