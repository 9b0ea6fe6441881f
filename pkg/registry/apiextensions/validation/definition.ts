/** Validation of CustomResourceDefinitions (upstream's apiextensions validation). */
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
} from '../../../api/generated/apiextensions-v1.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError, goStringSlice, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isDns1035Label, isDns1123Subdomain } from '../../../apimachinery/names.ts';
import { isConditionTrue } from '../../../apimachinery/object-meta.ts';
import { validateClientConfig } from '../../admissionregistration/validation/client-config.ts';
import { each, type Findings, oneOf, unchanged } from '../../validation/rules.ts';
import { APPROVED_ANNOTATION, approvalOf, isProtectedGroup } from '../api-approval.ts';
import { validateDefinitionSchema } from './definition-schema.ts';
import { validateSelectable } from './definition-selectable.ts';

const SPEC = FieldPath.of('spec');
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];

/** What is wrong with a new definition. */
export function* validateNewDefinition(definition: CustomResourceDefinition): Findings {
  const { spec, metadata } = definition;
  for (const name of ['generateName', 'name'] as const) {
    const value = metadata[name];
    if (!value || value === `${spec.names.plural ?? ''}.${spec.group}`) continue;
    yield fieldError.invalid(FieldPath.of('metadata', name), value, 'must be spec.names.plural+"."+spec.group');
  }
  yield* validateSpec(spec);
  yield* validateDefinitionStatus(definition);
  yield* validateStoredVersions(definition);
  yield* validateApproval(definition);
  yield* validateUnknownFields(spec);
}

/** What is wrong with a changed definition, and what may not change. */
export function* validateChangedDefinition(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition,
): Findings {
  const { spec } = definition;
  yield* validateSpec(spec);
  const names = SPEC.child('names');
  // What the stored objects were written with stays; the names make up the name of the definition.
  if (isConditionTrue(old.status.conditions ?? [], 'Established')) {
    yield* unchanged(SPEC.child('scope'), spec.scope, old.spec.scope);
    yield* unchanged(names.child('kind'), spec.names.kind, old.spec.names.kind);
  }
  yield* unchanged(SPEC.child('group'), spec.group, old.spec.group);
  yield* unchanged(names.child('plural'), spec.names.plural, old.spec.names.plural);
  yield* validateDefinitionStatus(definition);
  yield* validateStoredVersions(definition);
  if (approvalOf(definition).state !== approvalOf(old).state) yield* validateApproval(definition);
  yield* validateUnknownFields(spec);
}

/** What is wrong with the status of a definition. */
export const validateDefinitionStatus = ({ status }: CustomResourceDefinition): Findings =>
  validateNames(status.acceptedNames ?? {}, FieldPath.of('status', 'acceptedNames'));

function* validateSpec(spec: CustomResourceDefinition['spec']): Findings {
  const versions = spec.versions ?? [];
  yield* validateGroup(spec.group);
  yield* oneOf(SPEC.child('scope'), spec.scope, ['Cluster', 'Namespaced']);
  yield* validateVersions(versions);
  const names = SPEC.child('names');
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if (!spec.names[name]) yield fieldError.required(names.child(name));
  }
  yield* validateNames(spec.names, names);
  for (const part of PARTS) {
    const [first] = versions;
    if (first === undefined || !isShared(part, versions)) continue;
    const hasStatus = versions.some(({ subresources }) => subresources?.status !== undefined);
    yield* part.judge(first, SPEC.child(part.shared), hasStatus);
  }
  yield* validateConversion(spec.conversion);
}

function* validateUnknownFields({ preserveUnknownFields }: CustomResourceDefinition['spec']): Findings {
  if (preserveUnknownFields !== true) return;
  const text =
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
  yield fieldError.invalid(SPEC.child('preserveUnknownFields'), true, text);
}

function* validateApproval(definition: CustomResourceDefinition): Findings {
  if (!isProtectedGroup(definition.spec.group)) return;
  const path = FieldPath.of('metadata', 'annotations').key(APPROVED_ANNOTATION);
  const { state, annotation, text } = approvalOf(definition);
  if (state === 'missing') yield fieldError.required(path, text);
  else if (state === 'invalid') yield fieldError.invalid(path, annotation, text);
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
  for (const [index, { schema }] of versions.entries()) {
    if (schema?.openAPIV3Schema === undefined) {
      yield fieldError.required(path.index(index).child('schema', 'openAPIV3Schema'), 'schemas are required');
    }
  }
  for (const [index, version] of versions.entries()) yield* validateVersion(version, versions, path.index(index));
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

function* validateVersion(
  version: CustomResourceDefinitionVersion,
  versions: readonly CustomResourceDefinitionVersion[],
  path: FieldPath,
): Findings {
  yield* label(path.child('name'), version.name);
  yield* validateDeprecation(version, path.child('deprecationWarning'));
  const unshared = PARTS.filter((part) => !isShared(part, versions));
  // Fields are looked for in the schema beside them, not in a shared one.
  const { schema, ...rest } = version;
  const judged = schema !== undefined && unshared.some(({ name }) => name === 'schema') ? version : rest;
  for (const part of unshared) {
    yield* part.judge(judged, path.child(part.name), version.subresources?.status !== undefined);
  }
}

function* validateDeprecation(
  { deprecated, deprecationWarning: text }: CustomResourceDefinitionVersion,
  path: FieldPath,
): Findings {
  if (text === undefined) return;
  if (deprecated !== true) return yield fieldError.invalid(path, text, 'can only be set for deprecated versions');
  if (Buffer.byteLength(text) > 256) yield fieldError.invalid(path, text, 'must be <= 256 characters long');
  if (text === '') yield fieldError.invalid(path, text, 'must not be an empty string');
  const strange = text.search(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u);
  if (strange < 0) return;
  const at = Buffer.byteLength(text.slice(0, strange));
  const what = `must only contain printable UTF-8 characters; non-printable character found at index ${at}`;
  yield fieldError.invalid(path, text, what);
}

/** A list as Go prints it, in braces. */
const goBraces = (json: string): string => `{${json.slice(1, -1)}}`;

function* label(path: FieldPath, value: string, shown = value, prefix = ''): Findings {
  const texts = isDns1035Label(value);
  if (texts.length > 0) yield fieldError.invalid(path, shown, prefix + texts.join(','));
}

function* validateNames(names: Partial<CustomResourceDefinitionNames>, path: FieldPath): Findings {
  if (names.plural) yield* label(path.child('plural'), names.plural);
  if (names.singular) yield* label(path.child('singular'), names.singular);
  const mixed = 'may have mixed case, but should otherwise match: ';
  for (const name of ['kind', 'listKind'] as const) {
    const value = names[name];
    if (value) yield* label(path.child(name), value.toLowerCase(), value, mixed);
  }
  for (const [index, value] of (names.shortNames ?? []).entries()) {
    yield* label(path.child('shortNames').index(index), value);
  }
  if (names.listKind && names.listKind === names.kind) {
    yield fieldError.invalid(path.child('listKind'), names.listKind, 'kind and listKind may not be the same');
  }
  for (const [index, value] of (names.categories ?? []).entries()) {
    yield* label(path.child('categories').index(index), value);
  }
}

/**
 * Something that each version has. What all versions have alike, upstream judges once, at the place where definitions
 * of one version had it.
 */
interface Part {
  readonly name: keyof CustomResourceDefinitionVersion;
  readonly shared: string;
  judge(version: CustomResourceDefinitionVersion, path: FieldPath, hasStatus: boolean): Findings;
}

const PARTS: readonly Part[] = [
  {
    name: 'schema',
    shared: 'validation',
    *judge({ schema }, path, hasStatus) {
      if (schema?.openAPIV3Schema === undefined) return;
      yield* validateDefinitionSchema(schema.openAPIV3Schema, path.child('openAPIV3Schema'), hasStatus);
    },
  },
  {
    name: 'subresources',
    shared: 'subresources',
    *judge({ subresources }, path) {
      if (subresources?.scale !== undefined) yield* validateScale(subresources.scale, path.child('scale'));
    },
  },
  {
    name: 'additionalPrinterColumns',
    shared: 'additionalPrinterColumns',
    *judge({ additionalPrinterColumns }, path) {
      for (const [index, column] of (additionalPrinterColumns ?? []).entries()) {
        yield* validateColumn(column, path.index(index));
      }
    },
  },
  {
    name: 'selectableFields',
    shared: 'selectableFields',
    *judge({ selectableFields = [], schema }, path) {
      if (selectableFields.length === 0) return;
      if (schema?.openAPIV3Schema !== undefined) {
        yield* validateSelectable(selectableFields, schema.openAPIV3Schema, path);
        return;
      }
      yield fieldError.invalid(path, '', 'may only be set when `version.schema.openAPIV3Schema` is not included');
    },
  },
];

const isShared = ({ name }: Part, versions: readonly CustomResourceDefinitionVersion[]): boolean =>
  versions.every((version) => deepEqual(version[name], versions[0]?.[name]));

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
    } else if (!value.startsWith('.')) {
      yield fieldError.invalid(at, value, 'must be a simple json path starting with .');
    } else if (!roots.some((root) => value.startsWith(root))) {
      const under = roots.map((root) => root.slice(0, -1)).join(' or ');
      yield fieldError.invalid(at, value, `should be a json path under ${roots.length > 1 ? 'either ' : ''}${under}`);
    }
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
  else if (!column.jsonPath.startsWith('.')) {
    yield fieldError.invalid(at, column.jsonPath, 'must be a simple json path starting with .');
  }
}

function* validateConversion(conversion: CustomResourceConversion | undefined): Findings {
  if (conversion === undefined) return;
  const path = SPEC.child('conversion');
  yield* oneOf(path.child('strategy'), conversion.strategy, ['None', 'Webhook']);
  const { clientConfig } = conversion.webhook ?? {};
  const conversionReviewVersions = conversion.webhook?.conversionReviewVersions ?? [];
  const webhook = path.child('webhookClientConfig');
  const versions = path.child('conversionReviewVersions');
  if (conversion.strategy === 'Webhook') {
    if (clientConfig === undefined) yield fieldError.required(webhook, 'required when strategy is set to Webhook');
    else yield* validateClientConfig(clientConfig, webhook);
    if (conversionReviewVersions.length === 0) yield fieldError.required(versions);
    else yield* validateReviewVersions(conversionReviewVersions, versions);
    return;
  }
  const text = 'should not be set when strategy is not set to Webhook';
  if (clientConfig !== undefined) yield fieldError.forbidden(webhook, text);
  if (conversionReviewVersions.length > 0) yield fieldError.forbidden(versions, text);
}

/** Those that the API server knows. */
const REVIEW_VERSIONS = ['v1', 'v1beta1'];

function* validateReviewVersions(versions: readonly string[], path: FieldPath): Findings {
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) yield fieldError.invalid(path.index(index), version, 'duplicate version');
    else yield* each(path.index(index), version, isDns1035Label);
  }
  if (versions.some((version) => REVIEW_VERSIONS.includes(version))) return;
  yield fieldError.invalid(path, goStringSlice(versions), `must include at least one of ${REVIEW_VERSIONS.join(', ')}`);
}

function* validateStoredVersions({ spec, status }: CustomResourceDefinition): Findings {
  const path = FieldPath.of('status', 'storedVersions');
  const stored = status.storedVersions ?? [];
  if (stored.length === 0) {
    return yield fieldError.invalid(path, goStringSlice(undefined), 'must have at least one stored version');
  }
  const versions = spec.versions ?? [];
  for (const { name, storage } of versions) {
    if (storage && !stored.includes(name)) {
      yield fieldError.invalid(path, goStringSlice(stored), `must have the storage version ${name}`);
    }
  }
  const names = versions.map(({ name }) => name);
  for (const [index, name] of stored.entries()) {
    if (names.includes(name)) continue;
    const text = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    yield fieldError.invalid(path.index(index), name, text);
  }
}
