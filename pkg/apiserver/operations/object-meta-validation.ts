import type { OwnerReference } from '../../api/generated/meta-v1.ts';
import type { Json } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { append } from '../../apimachinery/append.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { type FieldError, fieldError, goStringSlice, Verbatim } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label, isQualifiedName } from '../../apimachinery/names.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { finalizerDomain } from '../../registry/validation/finalizers.ts';
import { validateAnnotations } from '../../registry/validation/rules.ts';

const MANAGER_LIMIT_BYTES = 128;
const SUBRESOURCE_LIMIT_BYTES = 256;

const METADATA = FieldPath.of('metadata');
const IMMUTABLE = 'field is immutable';

/** Upstream's ValidateObjectMeta. */
export function validateObjectMeta(descriptor: Descriptor, object: KubeObject): FieldError[] {
  const meta = object.metadata;
  const errors: FieldError[] = [];
  if (meta.generateName) {
    for (const text of descriptor.validateName(meta.generateName, true)) {
      errors.push(fieldError.invalid(METADATA.child('generateName'), meta.generateName, text));
    }
  }
  if (!meta.name) {
    errors.push(fieldError.required(METADATA.child('name'), 'name or generateName is required'));
  } else {
    for (const text of descriptor.validateName(meta.name, false)) {
      errors.push(fieldError.invalid(METADATA.child('name'), meta.name, text));
    }
  }
  if (descriptor.type.namespaced) {
    if (!meta.namespace) errors.push(fieldError.required(METADATA.child('namespace'), ''));
    else {
      for (const text of isDns1123Label(meta.namespace)) {
        errors.push(fieldError.invalid(METADATA.child('namespace'), meta.namespace, text));
      }
    }
  }
  append(errors, validateMetadataMaps(object));
  append(errors, validateFinalizers(object));
  append(errors, validateManagedFields(object));
  if (wantsQualifiedFinalizers(descriptor)) append(errors, finalizersWithoutDomain(object));
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
  const finalizers = checkFinalizers ? finalizersWithoutDomain(object) : [];
  return [...errors, ...validateMetadataMaps(object), ...validateManagedFields(object), ...finalizers];
}

function validateMetadataMaps(object: KubeObject): FieldError[] {
  return [
    ...validateLabels(object.metadata.labels, METADATA.child('labels')),
    ...validateAnnotations(object.metadata.annotations, METADATA.child('annotations')),
    ...validateOwners(object.metadata.ownerReferences ?? [], METADATA.child('ownerReferences')),
  ];
}

function validateFinalizers(object: KubeObject): FieldError[] {
  const path = METADATA.child('finalizers');
  const names = object.metadata.finalizers ?? [];
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
export function wantsQualifiedFinalizers({ custom, type }: Descriptor): boolean {
  return !custom && !LENIENT_GROUPS.has(type.group);
}

function finalizersWithoutDomain(object: KubeObject): FieldError[] {
  const path = METADATA.child('finalizers');
  return (object.metadata.finalizers ?? []).flatMap((name, index) => [...finalizerDomain(name, path.index(index))]);
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

function validateManagedFields(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, entry] of (object.metadata.managedFields ?? []).entries()) {
    const path = METADATA.child('managedFields').index(index);
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
