import type { JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import { itemsOf } from '../../../apimachinery/custom/structural-schema.ts';
import { fieldError, goStringSlice } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import type { Findings } from '../../validation/rules.ts';

/** x-kubernetes-list-type and x-kubernetes-list-map-keys, and what they demand of the items. */
export function* validateListType(props: JSONSchemaProps, path: FieldPath): Findings {
  const listType = props['x-kubernetes-list-type'];
  const keys = props['x-kubernetes-list-map-keys'] ?? [];
  const at = path.child('x-kubernetes-list-type');
  const items = itemsOf(props);
  if (listType !== undefined && props.type !== 'array') {
    const text = 'must be array if x-kubernetes-list-type is specified';
    if (!props.type) yield fieldError.required(path.child('type'), text);
    else yield fieldError.invalid(path.child('type'), props.type, text);
  } else if (listType === 'set' && items !== undefined) {
    yield* validateSetItems(items, path.child('items'));
  }
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    yield fieldError.notSupported(at, listType, ['atomic', 'set', 'map']);
  }
  if (keys.length > 0 && listType !== 'map') {
    const text = 'must be map if x-kubernetes-list-map-keys is non-empty';
    if (listType === undefined) yield fieldError.required(at, text);
    else yield fieldError.invalid(at, listType, text);
  }
  if (listType === 'map') yield* validateMapItems(items, keys, path);
  if ((listType !== 'map' && listType !== 'set') || items === undefined) return;
  if (items.nullable === true) {
    const text = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    yield fieldError.forbidden(path.child('items', 'nullable'), text);
  }
  if (listType === 'map') yield* validateMapKeys(items, keys, path.child('items', 'properties'));
}

function* validateMapItems(items: JSONSchemaProps | undefined, keys: readonly string[], path: FieldPath): Findings {
  const at = path.child('x-kubernetes-list-map-keys');
  if (keys.length === 0) yield fieldError.required(at, 'must not be empty if x-kubernetes-list-type is map');
  if (items === undefined) {
    yield fieldError.required(path.child('items'), 'must have a schema if x-kubernetes-list-type is map');
    return;
  }
  if (items.type !== 'object') {
    const text = "must be object if parent array's x-kubernetes-list-type is map";
    yield fieldError.invalid(path.child('items', 'type'), items.type ?? '', text);
    return;
  }
  const seen = new Set<string>();
  for (const key of keys) {
    const property = items.properties?.[key];
    if (property === undefined) {
      yield fieldError.invalid(at, goStringSlice(keys), 'entries must all be names of item properties');
    } else if (property.type === 'array' || property.type === 'object') {
      const text = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      yield fieldError.invalid(path.child('items', 'properties').key(key).child('type'), items.type, text);
    }
    if (seen.has(key)) yield fieldError.invalid(at, goStringSlice(keys), 'must not contain duplicate entries');
    seen.add(key);
  }
}

/** Every item has to have its keys. */
function* validateMapKeys(items: JSONSchemaProps, keys: readonly string[], path: FieldPath): Findings {
  for (const key of keys) {
    const property = items.properties?.[key];
    if (property === undefined) continue;
    if (property.default === undefined && !(items.required ?? []).includes(key)) {
      const text =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      yield fieldError.required(path.key(key).child('default'), text);
    }
    if (property.nullable === true) {
      const text = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      yield fieldError.forbidden(path.key(key).child('nullable'), text);
    }
  }
}

/** The items of a set are compared as wholes. Upstream shows the list type in either case. */
function* validateSetItems(items: JSONSchemaProps, path: FieldPath): Findings {
  const text = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items['x-kubernetes-list-type'];
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
    yield fieldError.invalid(path.child('x-kubernetes-map-type'), listType, text);
  }
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic') {
    yield fieldError.invalid(path.child('x-kubernetes-list-type'), listType, text);
  }
}
