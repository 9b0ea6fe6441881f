import type { OwnerReference } from '../../api/generated/meta-v1.ts';
import type { Json } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { append } from '../../apimachinery/append.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError, goStringSlice, Verbatim } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label, isQualifiedName } from '../../apimachinery/names.ts';
import type { Descriptor } from '../descriptor.ts';
import { finalizerDomain } from './finalizers.ts';
import { validateAnnotations } from './rules.ts';

const MANAGER_LIMIT_BYTES = 128;
const SUBRESOURCE_LIMIT_BYTES = 256;

type Metadata = KubeObject['metadata'];

/** What has to be known of the kind of an object. */
type ObjectShape = Pick<Descriptor, 'validateName' | 'custom'> & {
  readonly type: Pick<Descriptor['type'], 'group' | 'namespaced'>;
};

const METADATA = FieldPath.of('metadata');
const IMMUTABLE = 'field is immutable';

/** Upstream's ValidateObjectMeta. */
export function validateObjectMeta(
  shape: ObjectShape,
  { metadata: meta }: Pick<KubeObject, 'metadata'>,
  path = METADATA,
): FieldError[] {
  const errors: FieldError[] = [];
  if (meta.generateName) {
    for (const text of shape.validateName(meta.generateName, true)) {
      errors.push(fieldError.invalid(path.child('generateName'), meta.generateName, text));
    }
  }
  if (!meta.name) {
    errors.push(fieldError.required(path.child('name'), 'name or generateName is required'));
  } else {
    for (const text of shape.validateName(meta.name, false)) {
      errors.push(fieldError.invalid(path.child('name'), meta.name, text));
    }
  }
  if (shape.type.namespaced) {
    if (!meta.namespace) errors.push(fieldError.required(path.child('namespace'), ''));
    else {
      for (const text of isDns1123Label(meta.namespace)) {
        errors.push(fieldError.invalid(path.child('namespace'), meta.namespace, text));
      }
    }
  }
  append(errors, validateMetadataMaps(meta, path));
  append(errors, validateFinalizers(meta, path.child('finalizers')));
  append(errors, validateManagedFields(meta, path.child('managedFields')));
  if (wantsQualifiedFinalizers(shape)) append(errors, finalizersWithoutDomain(meta, path.child('finalizers')));
  return errors;
}

/**
 * Upstream's ValidateObjectMetaUpdate: the fields that never change, and the maps again. The generic registry calls it
 * and each kind's own validation does, which looks at the names of finalizers, too, if it is built in.
 */
export function validateObjectMetaUpdate(object: KubeObject, old: KubeObject, checkFinalizers = false): FieldError[] {
  const meta = object.metadata;
  const errors: FieldError[] = [];
  if (old.metadata.deletionTimestamp !== undefined) {
    const had = new Set(old.metadata.finalizers);
    const added = (meta.finalizers ?? []).filter((name) => !had.has(name)).sort();
    if (added.length > 0) {
      const text = `no new finalizers can be added if the object is being deleted, found new finalizers ${goStringSlice(added).text}`;
      errors.push(fieldError.forbidden(METADATA.child('finalizers'), text));
    }
  }
  const fixed = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'];
  const [after, before] = [meta, old.metadata] as unknown as Record<string, Json | undefined>[];
  for (const field of fixed) {
    const value = after?.[field];
    if (!semanticEqual(value, before?.[field])) {
      errors.push(fieldError.invalid(METADATA.child(field), value, IMMUTABLE));
    }
  }
  return [
    ...errors,
    ...validateMetadataMaps(meta, METADATA),
    ...validateManagedFields(meta, METADATA.child('managedFields')),
    ...(checkFinalizers ? finalizersWithoutDomain(meta, METADATA.child('finalizers')) : []),
  ];
}

function validateMetadataMaps(meta: Metadata, path: FieldPath): FieldError[] {
  return [
    ...validateLabels(meta.labels, path.child('labels')),
    ...validateAnnotations(meta.annotations, path.child('annotations')),
    ...validateOwners(meta.ownerReferences ?? [], path.child('ownerReferences')),
  ];
}

function validateFinalizers({ finalizers: names = [] }: Metadata, path: FieldPath): FieldError[] {
  const errors = names.flatMap((name) => isQualifiedName(name).map((text) => fieldError.invalid(path, name, text)));
  if (names.includes('orphan') && names.includes('foregroundDeletion')) {
    const text = 'finalizer orphan and foregroundDeletion cannot be both set';
    errors.push(fieldError.invalid(path, goStringSlice(names), text));
  }
  return errors;
}

/** Groups whose validation is not upstream's core one, where finalizers need no domain. */
const LENIENT_GROUPS: ReadonlySet<string> = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
]);

/** Whether finalizers without a domain have to be those of the API server itself. */
export function wantsQualifiedFinalizers({ custom, type }: ObjectShape): boolean {
  return !custom && !LENIENT_GROUPS.has(type.group);
}

function finalizersWithoutDomain({ finalizers = [] }: Metadata, path: FieldPath): FieldError[] {
  return finalizers.flatMap((name, index) => [...finalizerDomain(name, path.index(index))]);
}

/** The paths have no index, as upstream's have none. */
function validateOwners(owners: readonly OwnerReference[], path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  let controller: string | undefined;
  for (const owner of owners) {
    if (!hasVersion(owner)) {
      errors.push(fieldError.invalid(path.child('apiVersion'), owner.apiVersion, 'version must not be empty'));
    }
    for (const field of ['kind', 'name', 'uid'] as const) {
      if (!owner[field]) errors.push(fieldError.invalid(path.child(field), '', 'must not be empty'));
    }
    if (owner.kind === 'Event' && owner.apiVersion === 'v1') {
      const text = '/v1, Kind=Event is disallowed from being an owner';
      errors.push(fieldError.invalid(path, owner as unknown as Json, text));
    }
    if (owner.controller !== true) continue;
    const current = `${owner.kind}/${owner.name}`;
    if (controller !== undefined) {
      const text = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${current}`;
      const told = owners.map((one) => `v1.OwnerReference${JSON.stringify(one)}`).join(', ');
      errors.push(fieldError.invalid(path, new Verbatim(`[]v1.OwnerReference{${told}}`), text));
    } else controller = current;
  }
  return errors;
}

/** Whether its apiVersion is `version` or `group/version`. */
const hasVersion = ({ apiVersion = '' }: Partial<OwnerReference>): boolean => /^([^/]*\/)?[^/]+$/.test(apiVersion);

function validateManagedFields(meta: Metadata, managedFields: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, entry] of (meta.managedFields ?? []).entries()) {
    const path = managedFields.index(index);
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') {
      errors.push(fieldError.invalid(path.child('operation'), entry.operation ?? '', 'must be `Apply` or `Update`'));
    }
    if (entry.fieldsType && entry.fieldsType !== 'FieldsV1') {
      errors.push(fieldError.invalid(path.child('fieldsType'), entry.fieldsType, 'must be `FieldsV1`'));
    }
    if (Buffer.byteLength(entry.manager ?? '') > MANAGER_LIMIT_BYTES) {
      errors.push(fieldError.tooLong(path.child('manager'), MANAGER_LIMIT_BYTES));
    }
    if (Buffer.byteLength(entry.subresource ?? '') > SUBRESOURCE_LIMIT_BYTES) {
      errors.push(fieldError.tooLong(path.child('subresource'), SUBRESOURCE_LIMIT_BYTES));
    }
  }
  return errors;
}
