/** Validation of the OpenAPI schemas of custom resource definitions: what they may use, and that they are structural. */
import type { JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import type { Json, JsonObject } from '../../../api/schema.ts';
import { additionalOf, itemsOf, structuralSchema } from '../../../apimachinery/custom/structural-schema.ts';
import { goSyntax, validateLists, validateValue } from '../../../apimachinery/custom/validate-value.ts';
import { decodeCustomObject } from '../../../apimachinery/decode.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isJsonObject } from '../../../apimachinery/json.ts';
import type { Findings } from '../../validation/rules.ts';
import { validateListType } from './definition-lists.ts';

const TYPES: readonly string[] = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const UNSUPPORTED = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'] as const;

/** What is wrong with the schema at `path`: first with what it uses, then with its structure, then with its defaults. */
export function* validateDefinitionSchema(props: JSONSchemaProps, path: FieldPath): Findings {
  if (props.nullable === true)
    yield fieldError.forbidden(path.child('nullable'), 'nullable cannot be true at the root');
  yield* validateUse(props, path);
  const structural = [...validateStructure(props, path, 'root')];
  yield* structural;
  if (structural.length === 0) yield* validateDefaults(props, path);
}

function* validateUse(props: JSONSchemaProps, path: FieldPath): Findings {
  if (props.uniqueItems === true) {
    const text = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    yield fieldError.forbidden(path.child('uniqueItems'), text);
  }
  if (props.additionalProperties !== undefined && Object.keys(props.properties ?? {}).length > 0) {
    const text = 'additionalProperties and properties are mutual exclusive';
    yield fieldError.forbidden(path.child('additionalProperties'), text);
  } else if (props.additionalProperties === false) {
    yield fieldError.forbidden(path.child('additionalProperties'), 'additionalProperties cannot be set to false');
  }
  for (const name of UNSUPPORTED) {
    if (props[name] !== undefined) yield fieldError.forbidden(path.child(name), `${name} is not supported`);
  }
  if (props.type === 'null') {
    yield fieldError.forbidden(path.child('type'), 'type cannot be set to null, use nullable as an alternative');
  }
  if (props.items === undefined) {
    if (props.type === 'array') yield fieldError.required(path.child('items'), 'must be specified');
  } else if (Array.isArray(props.items)) {
    yield fieldError.forbidden(path.child('items'), 'items must be a schema object and not an array');
  }
  if (props['x-kubernetes-preserve-unknown-fields'] === false) {
    yield fieldError.invalid(path.child('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined');
  }
  yield* validateMapType(props, path);
  yield* validateListType(props, path);
  for (const [index, rule] of (props['x-kubernetes-validations'] ?? []).entries()) {
    const at = path.child('x-kubernetes-validations').index(index).child('rule');
    if (rule.rule.trim() === '') yield fieldError.required(at, 'rule is not specified');
  }
  for (const [below, at] of children(props, path)) yield* validateUse(below, at);
  for (const [below, at] of logic(props, path)) yield* validateUse(below, at);
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

/** The schemas of parts of the value. */
function* children(props: JSONSchemaProps, path: FieldPath): Generator<[JSONSchemaProps, FieldPath]> {
  for (const [name, below] of Object.entries(props.properties ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    yield [below, path.child('properties').key(name)];
  }
  const additional = additionalOf(props);
  if (additional !== undefined && additional !== true) yield [additional, path.child('additionalProperties')];
  const items = itemsOf(props);
  if (items !== undefined) yield [items, path.child('items')];
}

/** Further schemas that the same value is held to. */
function* logic(props: JSONSchemaProps, path: FieldPath): Generator<[JSONSchemaProps, FieldPath]> {
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [index, below] of (props[name] ?? []).entries()) yield [below, path.child(name).index(index)];
  }
  if (props.not !== undefined) yield [props.not, path.child('not')];
}

type Level = 'root' | 'field' | 'item';

const NO_TYPE: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  field: 'must not be empty for specified object fields',
  item: 'must not be empty for specified array items',
};

function* validateStructure(props: JSONSchemaProps, path: FieldPath, level: Level): Findings {
  const embedded = props['x-kubernetes-embedded-resource'] === true;
  const preserves = props['x-kubernetes-preserve-unknown-fields'] === true;
  const intOrString = props['x-kubernetes-int-or-string'] === true;
  const additional = path.child('additionalProperties');
  const type = path.child('type');
  for (const [below, at] of children(props, path)) {
    yield* validateStructure(below, at, at.toString().endsWith('.items') ? 'item' : 'field');
  }
  for (const [below, at] of logic(props, path)) yield* validateLogic(below, at, intOrString);
  yield* validateComplete(props, path);
  if (embedded && !preserves && Object.keys(props.properties ?? {}).length === 0) {
    const text =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    yield fieldError.required(path.child('properties'), text);
  }
  if (embedded && props.type !== 'object') {
    const text = 'must be object if x-kubernetes-embedded-resource is true';
    if (!props.type) yield fieldError.required(type, text);
    else yield fieldError.invalid(type, props.type, text);
  } else if (!props.type && !intOrString && !preserves) {
    yield fieldError.required(type, NO_TYPE[level]);
  } else if (props.type && !TYPES.includes(props.type) && props.type !== 'null') {
    yield fieldError.notSupported(type, props.type, TYPES);
  }
  if (intOrString && props.type) {
    yield fieldError.invalid(type, props.type, 'must be empty if x-kubernetes-int-or-string is true');
  }
  if (embedded && props.additionalProperties !== undefined) {
    yield fieldError.forbidden(additional, 'must not be used if x-kubernetes-embedded-resource is set');
  }
  if (level !== 'root') return;
  if (props.type && props.type !== 'object') yield fieldError.invalid(type, props.type, 'must be object at the root');
  if (props.additionalProperties !== undefined) yield fieldError.forbidden(additional, 'must not be used at the root');
  yield* validateMetadata(props, path);
}

/** Of the object's own metadata only what its name is like may be said. */
function* validateMetadata({ properties }: JSONSchemaProps, path: FieldPath): Findings {
  const metadata = properties?.['metadata'];
  if (metadata === undefined) return;
  const { type: _type, description: _text, properties: own = {}, ...more } = metadata;
  const others = Object.keys(own).some((name) => name !== 'name' && name !== 'generateName');
  if (others || Object.keys(more).length > 0) {
    const text = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
    yield fieldError.forbidden(path.child('properties').key('metadata'), text);
  }
}

const NOT_IN_LOGIC = [
  'description',
  'type',
  'default',
  'title',
  'nullable',
  'additionalProperties',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-list-type',
  'x-kubernetes-map-type',
] as const;

/** What allOf, anyOf, oneOf and not hold may judge values, not shape them. */
function* validateLogic(props: JSONSchemaProps, path: FieldPath, typesAllowed: boolean): Findings {
  for (const name of NOT_IN_LOGIC) {
    if (props[name] === undefined || (name === 'type' && typesAllowed)) continue;
    yield fieldError.forbidden(path.child(name), 'must be empty to be structural');
  }
  for (const [below, at] of children(props, path)) yield* validateLogic(below, at, false);
  for (const [below, at] of logic(props, path)) yield* validateLogic(below, at, typesAllowed);
}

/** Fields that a judging schema names have to exist in the shaping one. */
function* validateComplete(props: JSONSchemaProps, path: FieldPath): Findings {
  for (const [below, at] of logic(props, path)) yield* namedFields(props, below, path, at);
}

function* namedFields(shape: JSONSchemaProps, judge: JSONSchemaProps, path: FieldPath, from: FieldPath): Findings {
  if (shape['x-kubernetes-preserve-unknown-fields'] === true && shape.properties === undefined) return;
  for (const [name, below] of Object.entries(judge.properties ?? {})) {
    const at = path.child('properties').key(name);
    const source = from.child('properties').key(name);
    const own =
      shape.properties?.[name] ?? (shape.additionalProperties === undefined ? undefined : additionalOf(shape));
    if (own === undefined) yield fieldError.required(at, `because it is defined in ${source.toString()}`);
    else if (own !== true) yield* namedFields(own, below, at, source);
  }
  const items = itemsOf(judge);
  const ownItems = itemsOf(shape);
  if (items !== undefined && ownItems === undefined) {
    yield fieldError.required(path.child('items'), `because it is defined in ${from.child('items').toString()}`);
  } else if (items !== undefined && ownItems !== undefined) {
    yield* namedFields(ownItems, items, path.child('items'), from.child('items'));
  }
  for (const [below, at] of logic(judge, from)) yield* namedFields(shape, below, path, at);
}

/** Defaults have to be valid themselves, and may not have fields that would be pruned. */
function* validateDefaults(props: JSONSchemaProps, path: FieldPath): Findings {
  if (props.default !== undefined) {
    const value = props.default as Json;
    const at = path.child('default');
    if (isPruned(value, props)) {
      yield fieldError.invalid(at, new Verbatim(goSyntax(value)), 'must not have unknown fields');
    } else {
      const prefix = at.toString();
      for (const error of [...validateValue(value, props), ...validateLists(value, props)]) {
        const field = error.field === '<nil>' ? error.field : error.field === '' ? prefix : `${prefix}.${error.field}`;
        yield { ...error, field };
      }
    }
  }
  for (const [below, at] of children(props, path)) yield* validateDefaults(below, at);
}

function isPruned(value: Json, props: JSONSchemaProps): boolean {
  const schema = structuralSchema(props, { kind: 'any' });
  if (!isJsonObject(value) || schema.kind !== 'struct') return false;
  const { strictErrors } = decodeCustomObject(value as JsonObject, schema);
  return strictErrors.length > 0;
}
