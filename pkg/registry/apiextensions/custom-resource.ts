/** The descriptors of custom resources, made of their definitions: one for each version that is served. */
import { schemaOf } from '../../api/facts.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../api/generated/apiextensions-v1.ts';
import type { JsonObject, StructSchema } from '../../api/schema.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '../../api/types.ts';
import { compareApiVersions } from '../../apimachinery/api-versions.ts';
import { fieldNames, findAll, parseJsonPath } from '../../apimachinery/custom/json-path.ts';
import { rootSchema } from '../../apimachinery/custom/structural-schema.ts';
import { decodeCustomObject } from '../../apimachinery/decode.ts';
import { applyDefaults } from '../../apimachinery/defaults.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import {
  ALL_VERBS,
  type Descriptor,
  describe,
  type FieldReader,
  type ScaleSubresource,
  type Subresource,
  statusPart,
  type Verb,
} from '../descriptor.ts';
import { finalizerDomain } from '../validation/finalizers.ts';
import { customColumns } from './custom-columns.ts';
import { validateCustom } from './validation/custom-object.ts';

/** A schema that says nothing: objects of any shape. */
const ANYTHING: JSONSchemaProps = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
/** While a definition is going, its objects can be looked at and deleted. */
const LAST_VERBS: readonly Verb[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const METADATA = schemaOf('meta.v1.ObjectMeta');

/** The descriptors of the served versions of `definition`. Throws an Error for a schema that cannot be served. */
export function customDescriptors(definition: CustomResourceDefinition, historyBegins = 0): Descriptor[] {
  const storage = definition.spec.versions.find((version) => version.storage) ?? definition.spec.versions[0];
  if (storage === undefined) return [];
  return definition.spec.versions
    .filter(({ served }) => served)
    .map((version) => ({ ...customDescriptor(definition, version, storage.name), historyBegins }));
}

export const openApiSchemaOf = ({ schema }: CustomResourceDefinitionVersion): JSONSchemaProps =>
  schema?.openAPIV3Schema ?? ANYTHING;

function typeOf({ spec }: CustomResourceDefinition, version: string): ResourceType {
  const { plural, kind } = spec.names;
  return { group: spec.group, version, kind, resource: plural, namespaced: spec.scope === 'Namespaced' };
}

function customDescriptor(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  storageVersion: string,
): Descriptor {
  const { spec, metadata } = definition;
  const names = { ...spec.names, ...definition.status?.acceptedNames };
  const type = typeOf(definition, version.name);
  const props = openApiSchemaOf(version);
  const schema = rootSchema(props, METADATA);
  const subresources = subresourcesOf(version);
  const { validateCreate, validateUpdate, validateStatus } = validateCustom(props, version.subresources?.scale);
  const status = subresources['status'];
  const described = describe(type, {
    schema,
    openapi: props as JsonObject,
    custom: true,
    versions: spec.versions.map(({ name }) => apiVersionOf({ group: spec.group, version: name })),
    listKind: names.listKind || `${type.kind}List`,
    singular: names.singular || type.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs: metadata.deletionTimestamp === undefined ? ALL_VERBS : LAST_VERBS,
    generation: true,
    allowUnconditionalUpdate: false,
    columns: customColumns(version),
    selectableFields: selectableFields(version),
    validateCreate,
    validateUpdate,
    warnings: finalizerWarnings,
    ...(version.deprecated === true && { deprecation: deprecation(definition, type, version) }),
    ...storedAs(definition, type, storageVersion, schema),
  });
  const parts = status === undefined ? subresources : { ...subresources, status: statusPart(validateStatus, 'all') };
  return { ...described, subresources: parts };
}

/** Finalizers without a domain are somebody else's tomorrow. */
function finalizerWarnings(object: KubeObject, old: KubeObject | undefined): string[] {
  const had = old?.metadata.finalizers ?? [];
  const added = new Set((object.metadata.finalizers ?? []).filter((name) => !had.includes(name)));
  const path = FieldPath.of('metadata', 'finalizers');
  return [...added]
    .sort()
    .filter((name) => [...finalizerDomain(name, path)].length > 0)
    .map(
      (name) =>
        `metadata.finalizers: ${goQuote(name)}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers`,
    );
}

/** What is said of a deprecated version: what its definition says, or what to use instead. */
function deprecation(
  { spec }: CustomResourceDefinition,
  type: ResourceType,
  { deprecationWarning, name }: CustomResourceDefinitionVersion,
): string {
  if (deprecationWarning !== undefined) return deprecationWarning;
  const [better] = spec.versions
    .filter((other) => other.served && other.deprecated !== true && compareApiVersions(other.name, name) > 0)
    .sort((a, b) => compareApiVersions(b.name, a.name));
  const text = `${apiVersionOf(type)} ${type.kind} is deprecated`;
  return better === undefined ? text : `${text}; use ${spec.group}/${better.name} ${type.kind}`;
}

function subresourcesOf({ subresources }: CustomResourceDefinitionVersion): Record<string, Subresource> {
  const { status, scale } = subresources ?? {};
  const fields = (path: string): string[] => fieldNames(parseJsonPath(path)) ?? [];
  const scaled: ScaleSubresource | undefined = scale && {
    type: 'scale',
    verbs: ['get', 'patch', 'update'],
    specReplicas: fields(scale.specReplicasPath),
    statusReplicas: fields(scale.statusReplicasPath),
    selector: scale.labelSelectorPath ? fields(scale.labelSelectorPath) : undefined,
    mayLackReplicas: true,
  };
  return {
    ...(status !== undefined && { status: statusPart() }),
    ...(scaled !== undefined && { scale: scaled }),
  };
}

function selectableFields(version: CustomResourceDefinitionVersion): Record<string, FieldReader<KubeObject>> {
  const fields: Record<string, FieldReader<KubeObject>> = {};
  for (const { jsonPath } of version.selectableFields ?? []) {
    const path = parseJsonPath(jsonPath);
    fields[jsonPath.replace(/^\./, '')] = {
      read(object) {
        const [value] = findAll(object as unknown as JsonObject, path);
        return value === undefined || value === null ? '' : String(value);
      },
    };
  }
  return fields;
}

/**
 * Objects are stored in one version, and some may have been stored when the definition was another. Then what is read
 * takes the version, the defaults and the fields of now. Definitions that never changed need none of that.
 */
function storedAs(
  definition: CustomResourceDefinition,
  type: ResourceType,
  storageVersion: string,
  schema: StructSchema,
): Pick<Descriptor, 'storedAs'> {
  const { spec, metadata, status } = definition;
  const unchanged = (metadata.generation ?? 1) === 1;
  const single = spec.versions.length === 1 && (status?.storedVersions ?? []).length <= 1;
  if (unchanged && single) return {};
  const storedVersion = apiVersionOf({ group: type.group, version: storageVersion });
  const ownVersion = apiVersionOf(type);
  const inVersion = (object: JsonObject, apiVersion: string): JsonObject =>
    object['apiVersion'] === apiVersion ? object : { ...object, apiVersion };
  return {
    storedAs: {
      type: typeOf(definition, storageVersion),
      toStored: (object) => inVersion(object, storedVersion),
      fromStored: (object) => {
        const current = inVersion(object, ownVersion);
        const { metadata: _, ...content } = current;
        const { value } = decodeCustomObject(content, schema);
        const complete = applyDefaults(value, schema);
        return complete === content ? current : sameKeys(current, complete);
      },
    },
  };
}

/** `complete` with the metadata of `object`; the object itself when nothing else differs. */
function sameKeys(object: JsonObject, complete: JsonObject): JsonObject {
  const { metadata, ...content } = object;
  const keys = new Set([...Object.keys(content), ...Object.keys(complete)]);
  const same = [...keys].every((key) => content[key] === complete[key]);
  return same ? object : { ...complete, metadata };
}
