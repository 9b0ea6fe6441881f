/** Validation of the OpenAPI schemas of custom resource definitions: what they may use, and that they are structural. */
import type { JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { additionalOf, itemsOf } from '../../../apimachinery/custom/structural-schema.ts';
import { type FieldError, fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';
import { defaultErrors } from './definition-defaults.ts';
import { validateListType } from './definition-lists.ts';
import { structuralErrors, unstructuredReason } from './definition-structure.ts';

const TYPES: readonly string[] = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const UNSUPPORTED = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'] as const;

/** What is wrong with the schema at `path`: with its structure, or its defaults if that is fine, and with what it uses. */
export function* validateDefinitionSchema(props: JSONSchemaProps, path: FieldPath, hasStatus: boolean): Findings {
  if (hasStatus) yield* validateRoot(props, path);
  if (props.nullable === true) {
    yield fieldError.forbidden(path.child('nullable'), 'nullable cannot be true at the root');
  }
  const reason = unstructuredReason(props);
  const found: FieldError[] = [];
  if (reason === undefined) {
    found.push(...structuralErrors(props, path));
    if (found.length === 0) found.push(...defaultErrors(props, path));
  }
  found.push(...validateUse(props, path, ROOT));
  if (found.length === 0 && reason !== undefined) found.push(fieldError.invalid(path, '', reason));
  yield* found;
}

/** Keywords of the root that survive when `properties.status` is judged alone, by upstream's names for them. */
const AT_ROOT: readonly string[] = [
  ...['Description', 'Type', 'Format', 'Title', 'Maximum', 'ExclusiveMaximum', 'Minimum', 'ExclusiveMinimum'],
  ...['MaxLength', 'MinLength', 'Pattern', 'MaxItems', 'MinItems', 'UniqueItems', 'MultipleOf', 'Required', 'Items'],
  ...['Properties', 'ExternalDocs', 'Example', 'XPreserveUnknownFields', 'XValidations'],
];

function* validateRoot(props: JSONSchemaProps, path: FieldPath): Findings {
  if (props.type && props.type !== 'object') {
    const text = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    yield fieldError.invalid(path.child('type'), props.type, text);
    return;
  }
  const others = (Object.keys(props) as (keyof JSONSchemaProps)[]).filter((key) => {
    const value = props[key] as Json;
    const isZero = value === false || value === '' || (Array.isArray(value) && value.length === 0);
    const name = key
      .replace('x-kubernetes', 'x')
      .replace(/(^|-)(\w)/g, (_, _dash, first: string) => first.toUpperCase());
    return !isZero && !AT_ROOT.includes(name);
  });
  if (others.length === 0) return;
  const value = new Verbatim(`apiextensions.JSONSchemaProps{${JSON.stringify(props).slice(1)}`);
  const text = `only [${AT_ROOT.join(' ')}] fields are allowed at the root of the schema if the status subresource is enabled`;
  yield fieldError.invalid(path, value, text);
}

/** Where in an object the schema stands. */
interface Place {
  readonly isRoot: boolean;
  /** Below kind, apiVersion or metadata of the object itself or of an embedded one. */
  readonly isInMeta: boolean;
  /** Why there may be no default here. */
  readonly noDefault?: string;
}

const ROOT: Place = { isRoot: true, isInMeta: false };
const META: readonly string[] = ['metadata', 'kind', 'apiVersion'];

function* validateUse(props: JSONSchemaProps, path: FieldPath, place: Place): Findings {
  yield* validateKeywords(props, path, place);
  const inner = { ...place, isRoot: false };
  const additional = additionalOf(props);
  if (additional !== undefined && additional !== true) {
    const reason = 'inside additionalProperties applying to object metadata';
    const below = place.isInMeta ? { ...inner, noDefault: reason } : inner;
    yield* validateUse(additional, path.child('additionalProperties'), below);
  }
  const isObject = place.isRoot || props['x-kubernetes-embedded-resource'] === true;
  for (const [name, below] of Object.entries(props.properties ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isMeta = isObject && META.includes(name);
    const noDefault = place.isRoot ? { noDefault: `in top-level ${name}` } : {};
    const at = path.child('properties').key(name);
    yield* validateUse(below, at, isMeta ? { ...inner, isInMeta: true, ...noDefault } : inner);
  }
  if (props.not !== undefined) yield* validateUse(props.not, path.child('not'), inner);
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [index, below] of (props[name] ?? []).entries()) {
      yield* validateUse(below, path.child(name).index(index), inner);
    }
  }
  const items = itemsOf(props);
  if (items !== undefined) yield* validateUse(items, path.child('items'), inner);
  if (props['x-kubernetes-preserve-unknown-fields'] === false) {
    yield fieldError.invalid(path.child('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined');
  }
  yield* validateMapType(props, path);
  yield* validateListType(props, path);
  yield* validateRules(props, path.child('x-kubernetes-validations'));
}

function* validateKeywords(props: JSONSchemaProps, path: FieldPath, place: Place): Findings {
  if (props.type && !TYPES.includes(props.type)) {
    yield fieldError.notSupported(path.child('type'), props.type, TYPES);
  }
  if (props.default !== undefined && place.noDefault !== undefined) {
    yield fieldError.forbidden(path.child('default'), `must not be set ${place.noDefault}`);
  }
  for (const name of UNSUPPORTED) {
    if (props[name] !== undefined) yield fieldError.forbidden(path.child(name), `${name} is not supported`);
  }
  if (props.type === 'null') {
    yield fieldError.forbidden(path.child('type'), 'type cannot be set to null, use nullable as an alternative');
  }
  if (Array.isArray(props.items)) {
    yield fieldError.forbidden(path.child('items'), 'items must be a schema object and not an array');
  }
  if (place.isInMeta && props['x-kubernetes-embedded-resource'] === true) {
    const text = 'must not be used inside of resource meta';
    yield fieldError.forbidden(path.child('x-kubernetes-embedded-resource'), text);
  }
  if (props.uniqueItems === true) {
    const text = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    yield fieldError.forbidden(path.child('uniqueItems'), text);
  }
  const additional = props.additionalProperties;
  if (additional !== undefined && additional !== true && Object.keys(props.properties ?? {}).length > 0) {
    const text = 'additionalProperties and properties are mutual exclusive';
    yield fieldError.forbidden(path.child('additionalProperties'), text);
  }
}

function* validateMapType(props: JSONSchemaProps, path: FieldPath): Findings {
  const mapType = props['x-kubernetes-map-type'];
  if (mapType === undefined) return;
  const at = path.child('x-kubernetes-map-type');
  if (props.type !== 'object') {
    const text = 'must be object if x-kubernetes-map-type is specified';
    if (!props.type) yield fieldError.required(path.child('type'), text);
    else yield fieldError.invalid(path.child('type'), props.type, text);
  }
  if (mapType !== 'atomic' && mapType !== 'granular') {
    yield fieldError.notSupported(at, mapType, ['atomic', 'granular']);
  }
}

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** What can be said of rules in CEL without reading their expressions. */
function* validateRules(props: JSONSchemaProps, path: FieldPath): Findings {
  const hasNewline = (text: string): boolean => /[\n\r]/.test(text);
  for (const [index, given] of (props['x-kubernetes-validations'] ?? []).entries()) {
    const at = path.index(index);
    const { rule = '', message = '', messageExpression = '', reason, fieldPath = '' } = given;
    if (rule.trim() === '') yield fieldError.required(at.child('rule'), 'rule is not specified');
    else if (message !== '' && message.trim() === '') {
      yield fieldError.invalid(at.child('message'), message, 'must be non-empty if specified');
    } else if (hasNewline(message.trim())) {
      yield fieldError.invalid(at.child('message'), message, 'must not contain line breaks');
    } else if (hasNewline(rule.trim()) && message.trim() === '') {
      yield fieldError.required(at.child('message'), 'message must be specified if rule contains line breaks');
    }
    if (messageExpression !== '' && messageExpression.trim() === '') {
      const text = 'messageExpression must be non-empty if specified';
      yield fieldError.required(at.child('messageExpression'), text);
    }
    if (reason !== undefined && !REASONS.includes(reason)) {
      yield fieldError.notSupported(at.child('reason'), reason, REASONS);
    }
    if (fieldPath !== '' && fieldPath.trim() === '') {
      yield fieldError.invalid(at.child('fieldPath'), fieldPath, 'must be non-empty if specified');
    }
    if (hasNewline(fieldPath)) {
      yield fieldError.invalid(at.child('fieldPath'), fieldPath, 'must not contain line breaks');
    }
  }
}
