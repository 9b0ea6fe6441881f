import type { KubeObject } from '../../api/types.ts';
import { type FieldError, fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label, isQualifiedName } from '../../apimachinery/names.ts';
import type { Descriptor } from '../../registry/descriptor.ts';

/** All annotations of an object together (upstream: TotalAnnotationSizeLimitB). */
const ANNOTATIONS_LIMIT_BYTES = 256 * 1024;

const METADATA = FieldPath.of('metadata');

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
  return [...errors, ...validateMetadataMaps(object)];
}

/** Upstream's ValidateObjectMetaUpdate: the fields that never change, and the maps again. */
export function validateObjectMetaUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  if (object.metadata.uid !== old.metadata.uid) {
    errors.push(fieldError.invalid(METADATA.child('uid'), object.metadata.uid, 'field is immutable'));
  }
  if (old.metadata.deletionTimestamp !== undefined) {
    const had = new Set(old.metadata.finalizers);
    const added = (object.metadata.finalizers ?? []).filter((name) => !had.has(name));
    if (added.length > 0) {
      errors.push(
        fieldError.forbidden(
          METADATA.child('finalizers'),
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
        ),
      );
    }
  }
  return [...errors, ...validateMetadataMaps(object)];
}

function validateMetadataMaps(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  errors.push(...validateLabels(object.metadata.labels, METADATA.child('labels')));
  errors.push(...validateAnnotations(object.metadata.annotations, METADATA.child('annotations')));
  const finalizers = METADATA.child('finalizers');
  for (const [index, name] of (object.metadata.finalizers ?? []).entries()) {
    for (const text of isQualifiedName(name)) errors.push(fieldError.invalid(finalizers.index(index), name, text));
  }
  const owners = METADATA.child('ownerReferences');
  let controller: string | undefined;
  for (const [index, owner] of (object.metadata.ownerReferences ?? []).entries()) {
    const path = owners.index(index);
    if (!owner.apiVersion) errors.push(fieldError.invalid(path.child('apiVersion'), '', 'version must not be empty'));
    if (!owner.kind) errors.push(fieldError.invalid(path.child('kind'), '', 'kind must not be empty'));
    if (!owner.name) errors.push(fieldError.invalid(path.child('name'), '', 'name must not be empty'));
    if (!owner.uid) errors.push(fieldError.invalid(path.child('uid'), '', 'uid must not be empty'));
    if (owner.controller !== true) continue;
    if (controller !== undefined) {
      errors.push(
        fieldError.invalid(
          owners,
          undefined,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`,
        ),
      );
    }
    controller = owner.name;
  }
  return errors;
}

function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const text of isQualifiedName(key.toLowerCase())) errors.push(fieldError.invalid(path, key, text));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > ANNOTATIONS_LIMIT_BYTES) {
    errors.push(fieldError.tooLong(path, ANNOTATIONS_LIMIT_BYTES));
  }
  return errors;
}
