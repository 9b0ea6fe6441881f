/** Validation of CustomResourceDefinitions (upstream's apiextensions validation). */
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
  JSONSchemaProps,
  SelectableField,
} from '../../../api/generated/apiextensions-v1.ts';
import { fieldNames, parseJsonPath } from '../../../apimachinery/custom/json-path.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
import { isDns1035Label, isDns1123Subdomain } from '../../../apimachinery/names.ts';
import { isConditionTrue } from '../../../apimachinery/object-meta.ts';
import { type Findings, oneOf } from '../../validation/rules.ts';
import { validateDefinitionSchema } from './definition-schema.ts';

const SPEC = FieldPath.of('spec');
const APPROVAL = 'api-approved.kubernetes.io';
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];

/** What is wrong with a definition, new or changed. */
export function* validateDefinition(definition: CustomResourceDefinition): Findings {
  const { spec, metadata } = definition;
  if (metadata.name !== `${spec.names.plural}.${spec.group}`) {
    const text = 'must be spec.names.plural+"."+spec.group';
    yield fieldError.invalid(FieldPath.of('metadata', 'name'), metadata.name, text);
  }
  yield* validateGroup(spec.group);
  yield* oneOf(SPEC.child('scope'), spec.scope, ['Cluster', 'Namespaced']);
  yield* validateVersions(spec.versions ?? []);
  yield* validateNames(spec.names);
  yield* validateParts(spec.versions ?? []);
  yield* validateConversion(spec.conversion);
  if (spec.preserveUnknownFields === true) {
    const text =
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
    yield fieldError.invalid(SPEC.child('preserveUnknownFields'), true, text);
  }
  yield* validateStoredVersions(definition);
}

/** What new definitions need besides. */
export function* validateNewDefinition({ spec, metadata }: CustomResourceDefinition): Findings {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(spec.group)) return;
  const path = FieldPath.of('metadata', 'annotations').key(APPROVAL);
  const value = metadata.annotations?.[APPROVAL] ?? '';
  if (value === '') {
    const text = `protected groups must have approval annotation "${APPROVAL}", see https://github.com/kubernetes/enhancements/pull/1111`;
    yield fieldError.required(path, text);
  } else if (!value.startsWith('unapproved') && !URL.canParse(value)) {
    const text = `protected groups must have approval annotation "${APPROVAL}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`;
    yield fieldError.invalid(path, value, text);
  }
}

/** What an update may not change once the resource is there. */
export function* validateChangedDefinition(
  { spec }: CustomResourceDefinition,
  { spec: old, status }: CustomResourceDefinition,
): Findings {
  const established = isConditionTrue(status.conditions ?? [], 'Established');
  const fixed: [string, string, string][] = [['group', spec.group, old.group]];
  if (established) {
    fixed.push(['scope', spec.scope, old.scope]);
    fixed.push(['names.kind', spec.names.kind, old.names.kind]);
  }
  fixed.push(['names.plural', spec.names.plural, old.names.plural]);
  for (const [name, value, before] of fixed) {
    if (value !== before) yield fieldError.invalid(SPEC.child(name), value, 'field is immutable');
  }
}

function* validateGroup(group: string): Findings {
  const path = SPEC.child('group');
  if (group === '') {
    yield fieldError.required(path);
    return;
  }
  const texts = isDns1123Subdomain(group);
  if (texts.length > 0) yield fieldError.invalid(path, group, texts.join(','));
  else if (!group.includes('.')) yield fieldError.invalid(path, group, 'should be a domain with at least one dot');
}

function* validateVersions(versions: readonly CustomResourceDefinitionVersion[]): Findings {
  const path = SPEC.child('versions');
  for (const [index, { name, schema, deprecated, deprecationWarning }] of versions.entries()) {
    const at = path.index(index);
    if (schema?.openAPIV3Schema === undefined) {
      yield fieldError.required(at.child('schema', 'openAPIV3Schema'), 'schemas are required');
    }
    yield* label(at.child('name'), name);
    if (deprecationWarning !== undefined && deprecated !== true) {
      const text = 'can only be set for deprecated versions';
      yield fieldError.invalid(at.child('deprecationWarning'), deprecationWarning, text);
    }
  }
  const value = new Verbatim(`[]apiextensions.CustomResourceDefinitionVersion${goBraces(JSON.stringify(versions))}`);
  if (new Set(versions.map(({ name }) => name)).size < versions.length) {
    yield fieldError.invalid(path, value, 'must contain unique version names');
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    yield fieldError.invalid(path, value, 'must have exactly one version marked as storage version');
  }
  // Upstream looks at the first version a second time, where its name was in old definitions.
  const [first] = versions;
  if (first !== undefined && first.name !== '') yield* label(SPEC.child('version'), first.name);
}

/** A list as Go prints it, in braces. */
const goBraces = (json: string): string => `{${json.slice(1, -1)}}`;

function* label(path: FieldPath, value: string, shown = value, prefix = ''): Findings {
  const texts = isDns1035Label(value);
  if (texts.length > 0) yield fieldError.invalid(path, shown, prefix + texts.join(','));
}

function* validateNames(names: CustomResourceDefinitionNames): Findings {
  const path = SPEC.child('names');
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if (!names[name]) yield fieldError.required(path.child(name));
  }
  if (names.plural) yield* label(path.child('plural'), names.plural);
  if (names.singular) yield* label(path.child('singular'), names.singular);
  const mixed = 'may have mixed case, but should otherwise match: ';
  for (const name of ['kind', 'listKind'] as const) {
    const value = names[name];
    if (value) yield* label(path.child(name), value.toLowerCase(), value, mixed);
  }
  for (const name of ['shortNames', 'categories'] as const) {
    for (const [index, value] of (names[name] ?? []).entries()) yield* label(path.child(name).index(index), value);
  }
  if (names.listKind && names.listKind === names.kind) {
    yield fieldError.invalid(path.child('listKind'), names.listKind, 'kind and listKind may not be the same');
  }
}

/**
 * Schemas, subresources, columns and selectable fields of the versions. What all versions have alike, upstream judges
 * once, at the place where definitions of one version had it.
 */
function* validateParts(versions: readonly CustomResourceDefinitionVersion[]): Findings {
  function* part(
    name: keyof CustomResourceDefinitionVersion,
    shared: FieldPath,
    judge: (version: CustomResourceDefinitionVersion, path: FieldPath) => Findings,
  ): Findings {
    const [first] = versions;
    if (first === undefined) return;
    if (versions.every((version) => deepEqual(version[name], first[name]))) {
      yield* judge(first, shared);
      return;
    }
    for (const [index, version] of versions.entries()) {
      yield* judge(version, SPEC.child('versions').index(index).child(name));
    }
  }
  yield* part('schema', SPEC.child('validation'), function* ({ schema }, path) {
    if (schema?.openAPIV3Schema !== undefined) {
      yield* validateDefinitionSchema(schema.openAPIV3Schema, path.child('openAPIV3Schema'));
    }
  });
  yield* part('subresources', SPEC.child('subresources'), function* ({ subresources }, path) {
    if (subresources?.scale !== undefined) yield* validateScale(subresources.scale, path.child('scale'));
  });
  yield* part('selectableFields', SPEC.child('selectableFields'), function* ({ selectableFields, schema }, path) {
    yield* validateSelectable(selectableFields ?? [], schema?.openAPIV3Schema, path);
  });
  yield* part('additionalPrinterColumns', SPEC.child('additionalPrinterColumns'), function* (version, path) {
    for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
      yield* validateColumn(column, path.index(index));
    }
  });
}

function* validateScale(scale: CustomResourceSubresourceScale, path: FieldPath): Findings {
  const paths: [keyof CustomResourceSubresourceScale, string[], boolean][] = [
    ['specReplicasPath', ['.spec.'], true],
    ['statusReplicasPath', ['.status.'], true],
    ['labelSelectorPath', ['.spec.', '.status.'], false],
  ];
  for (const [name, roots, isRequired] of paths) {
    const value = scale[name];
    const at = path.child(name);
    if (!value) {
      if (isRequired) yield fieldError.required(at);
    } else if (simplePath(value) === undefined) {
      yield fieldError.invalid(at, value, 'must be a simple json path starting with .');
    } else if (!roots.some((root) => value.startsWith(root))) {
      const under = roots.map((root) => root.slice(0, -1)).join(' or ');
      yield fieldError.invalid(at, value, `should be a json path under ${roots.length > 1 ? 'either ' : ''}${under}`);
    }
  }
}

/** The fields of a path that has nothing but fields. */
function simplePath(text: string): string[] | undefined {
  if (!text.startsWith('.')) return undefined;
  try {
    return fieldNames(parseJsonPath(text));
  } catch {
    // Not a path at all: no simple one either.
    return undefined;
  }
}

const MOST_SELECTABLE = 8;

function* validateSelectable(
  fields: readonly SelectableField[],
  schema: JSONSchemaProps | undefined,
  path: FieldPath,
): Findings {
  if (fields.length > MOST_SELECTABLE) yield fieldError.tooMany(path, fields.length, MOST_SELECTABLE);
  const seen = new Set<string>();
  for (const [index, { jsonPath }] of fields.entries()) {
    const at = path.index(index).child('jsonPath');
    const names = simplePath(jsonPath);
    if (!jsonPath) yield fieldError.required(at);
    else if (names === undefined) yield fieldError.invalid(at, jsonPath, 'is an invalid path: must be a simple path');
    else if (seen.has(jsonPath)) yield fieldError.duplicate(at, jsonPath);
    else {
      const found = names.reduce<JSONSchemaProps | undefined>((below, name) => below?.properties?.[name], schema);
      if (names[0] === 'metadata') {
        yield fieldError.invalid(at, jsonPath, 'must not point to fields in metadata');
      } else if (found === undefined) {
        yield fieldError.invalid(at, jsonPath, 'is an invalid path: does not refer to a valid field');
      } else if (!['string', 'boolean', 'integer'].includes(found.type ?? '')) {
        const text =
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
        yield fieldError.invalid(at, jsonPath, text);
      }
    }
    seen.add(jsonPath);
  }
}

const COLUMN_FORMATS = ['int32', 'int64', 'float', 'double', 'byte', 'date', 'date-time', 'password'];

function* validateColumn(column: CustomResourceColumnDefinition, path: FieldPath): Findings {
  if (!column.name) yield fieldError.required(path.child('name'));
  if (!column.type) {
    yield fieldError.required(path.child('type'), `must be one of ${COLUMN_TYPES.join(',')}`);
  } else if (!COLUMN_TYPES.includes(column.type)) {
    yield fieldError.invalid(path.child('type'), column.type, `must be one of ${COLUMN_TYPES.join(',')}`);
  }
  if (column.format && !COLUMN_FORMATS.includes(column.format)) {
    const text = `must be one of ${[...COLUMN_FORMATS].sort().join(',')}`;
    yield fieldError.invalid(path.child('format'), column.format, text);
  }
  const at = path.child('JSONPath');
  if (!column.jsonPath) yield fieldError.required(at);
  else if (!isColumnPath(column.jsonPath)) {
    yield fieldError.invalid(at, column.jsonPath, 'must be a simple json path starting with .');
  }
}

function isColumnPath(text: string): boolean {
  if (!text.startsWith('.')) return false;
  try {
    parseJsonPath(text);
    return true;
  } catch {
    // What cannot be parsed is no path.
    return false;
  }
}

function* validateConversion(conversion: CustomResourceConversion | undefined): Findings {
  if (conversion === undefined) return;
  const path = SPEC.child('conversion');
  yield* oneOf(path.child('strategy'), conversion.strategy, ['None', 'Webhook']);
  const webhook = path.child('webhookClientConfig');
  if (conversion.strategy === 'Webhook') {
    if (conversion.webhook?.clientConfig === undefined) {
      yield fieldError.required(webhook, 'required when strategy is set to Webhook');
    }
    if ((conversion.webhook?.conversionReviewVersions ?? []).length === 0) {
      yield fieldError.required(path.child('conversionReviewVersions'));
    }
  } else if (conversion.webhook !== undefined) {
    yield fieldError.forbidden(webhook, 'should not be set when strategy is not set to Webhook');
  }
}

function* validateStoredVersions({ spec, status }: CustomResourceDefinition): Findings {
  const path = FieldPath.of('status', 'storedVersions');
  const stored = status.storedVersions ?? [];
  const value = new Verbatim(`[]string{${stored.map(goQuote).join(', ')}}`);
  if (stored.length === 0) yield fieldError.invalid(path, value, 'must have at least one stored version');
  const versions = spec.versions ?? [];
  const names = versions.map(({ name }) => name);
  for (const [index, name] of stored.entries()) {
    if (!names.includes(name)) {
      yield fieldError.invalid(path.index(index), name, 'missing from spec.versions; must appear in spec.versions');
    }
  }
  for (const { name, storage } of versions) {
    if (storage && !stored.includes(name)) {
      yield fieldError.invalid(path, value, `must have the storage version ${name}`);
    }
  }
}
