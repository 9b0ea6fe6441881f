/** Whether the OpenAPI schema of a custom resource definition is structural (upstream's ValidateStructural). */
import type { JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import type { Json } from '../../../api/schema.ts';
import { goPatternError } from '../../../apimachinery/custom/go-pattern.ts';
import { additionalOf, itemsOf } from '../../../apimachinery/custom/structural-schema.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError, fieldErrorText } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';

type Level = 'root' | 'item' | 'field';

const NO_TYPE: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

/** What an int-or-string may say of its types. */
const INT_OR_STRING: Json = [{ type: 'integer' }, { type: 'string' }];

/** What is not structural in the schema at `path`, sorted by its text. */
export function structuralErrors(props: JSONSchemaProps, path: FieldPath): FieldError[] {
  const errors = [...validateLevel(props, path, 'root'), ...validateComplete(props, props, path, path)];
  const text = new Map(errors.map((error) => [error, fieldErrorText(error)]));
  return errors.sort((a, b) => ((text.get(a) ?? '') < (text.get(b) ?? '') ? -1 : 1));
}

const UNSUPPORTED = [
  'id',
  '$schema',
  '$ref',
  'patternProperties',
  'dependencies',
  'additionalItems',
  'definitions',
] as const;

/** Whether a keyword says as little as if it were not there. */
const isZero = (value: Json | undefined): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0);

/** Why no structural schema can be made of this one at all; undefined when it can. */
export function unstructuredReason(props: JSONSchemaProps): string | undefined {
  for (const name of UNSUPPORTED) {
    if (name !== 'additionalItems' && isZero(props[name] as Json | undefined)) continue;
    if (props[name] !== undefined) return `OpenAPIV3Schema '${name.replace('$schema', 'schema')}' is not supported`;
  }
  if (props['x-kubernetes-preserve-unknown-fields'] === false) {
    return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  }
  if (Array.isArray(props.items)) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  for (const below of [...Object.values(props.properties ?? {}), ...judges(props).map(([each]) => each)]) {
    const reason = unstructuredReason(below);
    if (reason !== undefined) return reason;
  }
  const additional = additionalOf(props);
  for (const below of [itemsOf(props), additional === true ? undefined : additional]) {
    const reason = below === undefined ? undefined : unstructuredReason(below);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Further schemas that the same value is held to, with where they stand. */
function judges(props: JSONSchemaProps): [JSONSchemaProps, (path: FieldPath) => FieldPath][] {
  const found: [JSONSchemaProps, (path: FieldPath) => FieldPath][] = [];
  if (props.not !== undefined) found.push([props.not, (path) => path.child('not')]);
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [index, below] of (props[name] ?? []).entries()) {
      found.push([below, (path) => path.child(name).index(index)]);
    }
  }
  return found;
}

function* validateLevel(props: JSONSchemaProps, path: FieldPath, level: Level): Findings {
  const preserves = props['x-kubernetes-preserve-unknown-fields'] === true;
  const embedded = props['x-kubernetes-embedded-resource'] === true;
  const intOrString = props['x-kubernetes-int-or-string'] === true;
  const type = path.child('type');
  const items = itemsOf(props);
  if (props.type === 'array' && items === undefined)
    yield fieldError.required(path.child('items'), 'must be specified');
  if (items !== undefined) yield* validateLevel(items, path.child('items'), 'item');
  const properties = props.properties ?? {};
  for (const [name, below] of Object.entries(properties)) {
    yield* validateLevel(below, path.child('properties').key(name), 'field');
  }
  const additional = additionalOf(props);
  const at = path.child('additionalProperties');
  if (props.additionalProperties !== undefined && level === 'root') {
    yield fieldError.forbidden(at, 'must not be used at the root');
  }
  if (additional !== undefined && additional !== true) yield* validateLevel(additional, at, 'field');
  if (intOrString) {
    const text = 'must be false if x-kubernetes-int-or-string is true';
    const name = 'x-kubernetes-preserve-unknown-fields';
    if (preserves) yield fieldError.invalid(path.child(name), true, text);
    if (embedded) yield fieldError.invalid(path.child('x-kubernetes-embedded-resource'), true, text);
  }
  yield* validateJudges(props, path, isIntOrString(props), isIntOrString(props.allOf?.[0]));
  if (embedded && props.type !== 'object') {
    const text = 'must be object if x-kubernetes-embedded-resource is true';
    if (!props.type) yield fieldError.required(type, text);
    else yield fieldError.invalid(type, props.type, text);
  } else if (!props.type && !intOrString && !preserves) {
    yield fieldError.required(type, NO_TYPE[level]);
  }
  if (embedded && props.additionalProperties !== undefined) {
    yield fieldError.forbidden(at, 'must not be used if x-kubernetes-embedded-resource is set');
  }
  if (level === 'root' && props.type && props.type !== 'object') {
    yield fieldError.invalid(type, props.type, 'must be object at the root');
  }
  if (level === 'root' || embedded) yield* validateObjectFields(properties, path.child('properties'));
  if (level === 'root' && properties['metadata'] !== undefined) {
    yield* validateMetadata(properties['metadata'], path.child('properties').key('metadata'));
  }
  if (embedded && !preserves && Object.keys(properties).length === 0) {
    const text =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    yield fieldError.required(path.child('properties'), text);
  }
}

const isIntOrString = (props: JSONSchemaProps | undefined): boolean =>
  deepEqual(props?.anyOf as Json | undefined, INT_OR_STRING);

/** What every object has can only be of the types it has. */
function* validateObjectFields(properties: Readonly<Record<string, JSONSchemaProps>>, path: FieldPath): Findings {
  for (const [name, type] of [
    ['kind', 'string'],
    ['apiVersion', 'string'],
    ['metadata', 'object'],
  ] as const) {
    const given = properties[name];
    if (given === undefined || given.type === type) continue;
    yield fieldError.invalid(path.key(name).child('type'), given.type ?? '', `must be ${type}`);
  }
}

/** Of the object's own metadata only what its name is like may be said. */
function* validateMetadata(metadata: JSONSchemaProps, path: FieldPath): Findings {
  const { type: _type, default: _default, properties = {}, ...more } = metadata;
  const others = Object.keys(properties).some((name) => name !== 'name' && name !== 'generateName');
  if (!others && Object.keys(more).length === 0) return;
  const text = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
  yield fieldError.forbidden(path, text);
}

/** The schemas that judge the same value; those of an int-or-string's types are passed over. */
function* validateJudges(
  props: JSONSchemaProps,
  path: FieldPath,
  skipAnyOf: boolean,
  skipInFirstAllOf: boolean,
): Findings {
  for (const [below, at] of judges(props)) {
    if (skipAnyOf && props.anyOf?.includes(below)) continue;
    yield* validateJudge(below, at(path), skipInFirstAllOf && below === props.allOf?.[0]);
  }
  if (!props.pattern) return;
  const wrong = goPatternError(props.pattern);
  if (wrong === undefined) return;
  const text = `must be a valid regular expression, but isn't: error parsing regexp: ${wrong}`;
  yield fieldError.invalid(path.child('pattern'), props.pattern, text);
}

/** What would shape values, which these schemas may only judge, and what is told of it. */
const SHAPES = {
  type: 'empty',
  title: 'empty',
  description: 'empty',
  nullable: 'false',
  default: 'undefined',
  additionalProperties: 'undefined',
  'x-kubernetes-preserve-unknown-fields': 'false',
  'x-kubernetes-embedded-resource': 'false',
  'x-kubernetes-int-or-string': 'false',
  'x-kubernetes-list-map-keys': 'empty',
  'x-kubernetes-list-type': 'undefined',
  'x-kubernetes-map-type': 'undefined',
  'x-kubernetes-validations': 'empty',
} as const;

function* validateJudge(props: JSONSchemaProps, path: FieldPath, skipAnyOf: boolean): Findings {
  yield* validateJudges(props, path, skipAnyOf, false);
  const items = itemsOf(props);
  if (items !== undefined) yield* validateJudge(items, path.child('items'), false);
  for (const [name, below] of Object.entries(props.properties ?? {})) {
    yield* validateJudge(below, path.child('properties').key(name), false);
  }
  for (const [name, told] of Object.entries(SHAPES) as [keyof typeof SHAPES, string][]) {
    const value = props[name] as Json | undefined;
    if (name === 'default' ? value === undefined : isZero(value)) continue;
    yield fieldError.forbidden(path.child(name), `must be ${told} to be structural`);
  }
  if (props.properties?.['metadata'] !== undefined) {
    const text = 'must not be specified in a nested context';
    yield fieldError.forbidden(path.child('properties').key('metadata'), text);
  }
}

/** Fields that the root's judging schemas name have to exist in the shaping one. */
function* validateComplete(judge: JSONSchemaProps, shape: JSONSchemaProps, path: FieldPath, from: FieldPath): Findings {
  for (const [below, at] of judges(judge)) yield* validateNamed(below, shape, path, at(from));
}

function* validateNamed(
  judge: JSONSchemaProps,
  shape: JSONSchemaProps | undefined,
  path: FieldPath,
  from: FieldPath,
): Findings {
  if (shape === undefined) {
    yield fieldError.required(path, `because it is defined in ${from.toString()}`);
    return;
  }
  yield* validateComplete(judge, shape, path, from);
  const items = itemsOf(judge);
  if (items !== undefined) yield* validateNamed(items, itemsOf(shape), path.child('items'), from.child('items'));
  for (const [name, below] of Object.entries(judge.properties ?? {})) {
    const [at, source] = [path, from].map((each) => each.child('properties').key(name)) as [FieldPath, FieldPath];
    yield* validateNamed(below, shape.properties?.[name], at, source);
  }
}
