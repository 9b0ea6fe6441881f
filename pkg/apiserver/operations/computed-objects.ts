import type { KubeObject } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { Selection } from '../storage/selection.ts';
import { objectKey } from '../storage/store.ts';
import { encodeForStorage, StoredObject } from '../storage/stored-object.ts';

async function objectsOf({ type, computed }: Descriptor, namespace: string | undefined): Promise<StoredObject[]> {
  const found = (await computed?.list(namespace)) ?? [];
  return found.map((input) => {
    const object = { ...(input as KubeObject), kind: type.kind, apiVersion: apiVersionOf(type) };
    const { name, namespace: place } = object.metadata;
    return StoredObject.unversioned(objectKey(type, name, place), encodeForStorage(object));
  });
}

/** The objects of a computed resource, in the order and the form of stored ones. */
export async function computedObjects(
  descriptor: Descriptor,
  namespace: string | undefined,
  selection: Selection,
): Promise<StoredObject[]> {
  const objects = await objectsOf(descriptor, namespace);
  return objects.filter((stored) => selection.matches(stored)).sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** One object of a computed resource; throws NotFound. */
export async function computedObject(
  descriptor: Descriptor,
  name: string,
  namespace: string | undefined,
): Promise<StoredObject> {
  const found = (await objectsOf(descriptor, namespace)).find(({ object }) => object.metadata.name === name);
  if (found === undefined) throw statusErrors.notFound(descriptor.type, name);
  return found;
}
