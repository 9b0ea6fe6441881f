import type { KubeObject, ResourceType } from '../api/types.ts';
import { deepEqual } from '../apimachinery/deep-equal.ts';
import type { LabelMatcher } from '../apimachinery/labels.ts';
import { controllerOf, isBeingDeleted, objectKey } from '../apimachinery/object-meta.ts';
import type { Informer, InformerEvent } from '../client/informer.ts';
import { controllerKey, type KeyQueue, type Watch, watch } from './controller.ts';

export interface Owners<T extends KubeObject, Owner extends KubeObject> {
  readonly type: ResourceType<Owner>;
  readonly informer: Informer<Owner>;
  selector(owner: Owner): LabelMatcher;
  /** Adds the key of the owner; at once unless given. */
  tell?(event: InformerEvent<T>, key: string, queue: KeyQueue): void;
}

/**
 * Watches `informer` for objects that others own: an event is told to the owner, to the owner before the change, and,
 * when there is none, to those whose selectors would adopt the object.
 */
export function watchOwned<T extends KubeObject, Owner extends KubeObject>(
  informer: Informer<T>,
  owners: Owners<T, Owner>,
): Watch {
  return watch(informer, (event, queue) => {
    const { object } = event;
    const key = controllerKey(object, owners.type);
    if (event.type === 'modified') {
      const before = controllerKey(event.old, owners.type);
      if (before !== undefined && before !== key) queue.add(before);
    }
    if (key !== undefined) {
      if (owners.tell === undefined) queue.add(key);
      else owners.tell(event, key, queue);
    } else if (isNewToAdopters(event)) {
      for (const owner of owners.informer.list(object.metadata.namespace)) {
        if (owners.selector(owner).matches(object.metadata.labels)) queue.add(objectKey(owner));
      }
    }
  });
}

/** Whether the object may be adopted, and looks to adopters other than before. */
function isNewToAdopters<T extends KubeObject>(event: InformerEvent<T>): boolean {
  const { object } = event;
  if (event.type === 'deleted' || isBeingDeleted(object) || controllerOf(object) !== undefined) return false;
  if (event.type === 'added') return true;
  return controllerOf(event.old) !== undefined || !deepEqual(event.old.metadata.labels, object.metadata.labels);
}
