/** Defaults in the schemas of custom resource definitions: they have to be valid themselves, with nothing to prune. */
import type { JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { itemsOf, structuralSchema } from '../../../apimachinery/custom/structural-schema.ts';
import { goSyntax, validateValue } from '../../../apimachinery/custom/validate-value.ts';
import { decodeCustomObject } from '../../../apimachinery/decode.ts';
import { type FieldError, fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isJsonObject } from '../../../apimachinery/json.ts';
import { embeddedErrors } from './embedded-objects.ts';

/** What is wrong with the defaults of the schema at `path`, which is that of a whole resource. */
export function defaultErrors(props: JSONSchemaProps, path: FieldPath): FieldError[] {
  // Defaults of the resource's own metadata are refused elsewhere.
  const { metadata: _, ...properties } = props.properties ?? {};
  return [...validate({ ...props, properties, 'x-kubernetes-embedded-resource': true }, path)];
}

function* validate(props: JSONSchemaProps, path: FieldPath): Generator<FieldError> {
  if (props.default !== undefined) yield* judge(props.default as Json, props, path.child('default'));
  const items = itemsOf(props);
  if (items !== undefined) yield* validate(items, path.child('items'));
  for (const [name, below] of Object.entries(props.properties ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    yield* validate(below, path.child('properties').key(name));
  }
}

function* judge(value: Json, props: JSONSchemaProps, path: FieldPath): Generator<FieldError> {
  if (isPruned(value, props)) {
    yield fieldError.invalid(path, new Verbatim(goSyntax(value)), 'must not have unknown fields');
  }
  const prefix = path.toString();
  const embedded = embeddedErrors(value, props, prefix);
  if (embedded.length > 0) {
    yield* embedded;
    return;
  }
  for (const error of validateValue(value, props)) {
    const { field } = error;
    yield field === '<nil>' ? error : { ...error, field: field === '' ? prefix : `${prefix}.${field}` };
  }
}

function isPruned(value: Json, props: JSONSchemaProps): boolean {
  const schema = structuralSchema({ type: 'object', properties: { value: props } }, { kind: 'any' });
  if (!isJsonObject(value) && !Array.isArray(value)) return false;
  return schema.kind === 'struct' && decodeCustomObject({ value }, schema).strictErrors.length > 0;
}
