import type { JSONSchemaProps } from '../../../api/generated/apiextensions-v1.ts';
import { itemsOf } from '../../../apimachinery/custom/structural-schema.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
import type { Findings } from '../../validation/rules.ts';

/** x-kubernetes-list-type and x-kubernetes-list-map-keys, and what they demand of the items. */
export function* validateListType(props: JSONSchemaProps, path: FieldPath): Findings {
  const listType = props['x-kubernetes-list-type'];
  const keys = props['x-kubernetes-list-map-keys'] ?? [];
  const at = path.child('x-kubernetes-list-type');
  if (listType !== undefined && props.type !== 'array') {
    const text = 'must be array if x-kubernetes-list-type is specified';
    if (!props.type) yield fieldError.required(path.child('type'), text);
    else yield fieldError.invalid(path.child('type'), props.type, text);
  } else if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    yield fieldError.notSupported(at, listType, ['atomic', 'set', 'map']);
  } else if (keys.length > 0 && listType !== 'map') {
    const text = 'must be map if x-kubernetes-list-map-keys is non-empty';
    if (listType === undefined) yield fieldError.required(at, text);
    else yield fieldError.invalid(at, listType, text);
  }
  const items = itemsOf(props);
  if (items === undefined) return;
  if (listType === 'map') yield* validateMapKeys(items, keys, path);
  if (listType === 'set') yield* validateSetItems(items, path.child('items'));
}

function* validateMapKeys(items: JSONSchemaProps, keys: readonly string[], path: FieldPath): Findings {
  const at = path.child('x-kubernetes-list-map-keys');
  if (keys.length === 0) {
    yield fieldError.required(at, 'must not be empty if x-kubernetes-list-type is map');
  }
  if (items.type !== 'object') {
    const text = "must be object if parent array's x-kubernetes-list-type is map";
    yield fieldError.invalid(path.child('items').child('type'), items.type ?? '', text);
  }
  const seen = new Set<string>();
  for (const [index, key] of keys.entries()) {
    const property = items.properties?.[key];
    const where = path.child('items').child('properties').key(key);
    if (property === undefined) {
      const list = new Verbatim(`[]string{${keys.map(goQuote).join(', ')}}`);
      yield fieldError.invalid(at, list, 'entries must all be names of item properties');
      continue;
    }
    if (property.type === 'array' || property.type === 'object') {
      const text = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      yield fieldError.invalid(where.child('type'), property.type, text);
    }
    if (property.nullable === true) {
      const text = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      yield fieldError.forbidden(where.child('nullable'), text);
    }
    if (property.default === undefined && !(items.required ?? []).includes(key)) {
      const text =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      yield fieldError.required(where.child('default'), text);
    }
    if (seen.has(key)) yield fieldError.duplicate(at.index(index), key);
    seen.add(key);
  }
}

/** The items of a set are compared as wholes. */
function* validateSetItems(items: JSONSchemaProps, path: FieldPath): Findings {
  const text = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  if (items.nullable === true) {
    yield fieldError.forbidden(path.child('nullable'), 'cannot be nullable when x-kubernetes-list-type is set');
  }
  const mapType = items['x-kubernetes-map-type'];
  if (items.type === 'object' && mapType !== 'atomic') {
    yield fieldError.invalid(path.child('x-kubernetes-map-type'), mapType, text);
  }
  const listType = items['x-kubernetes-list-type'];
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic') {
    yield fieldError.invalid(path.child('x-kubernetes-list-type'), listType, text);
  }
}
