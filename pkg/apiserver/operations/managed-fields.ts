import type { Json, JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { getPath } from '../../apimachinery/json-path.ts';
import { applyConfiguration } from '../../apimachinery/managed-fields/apply.ts';
import { type FieldSet, fieldSetOf } from '../../apimachinery/managed-fields/field-set.ts';
import { decodeManagers } from '../../apimachinery/managed-fields/managers.ts';
import {
  disownFields,
  type FieldOwner,
  setApart,
  updateManagedFields,
} from '../../apimachinery/managed-fields/update.ts';
import { formatTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import type { WriteRequest } from './options.ts';
import type { FieldTracker, Target } from './resource-operations.ts';

/** Keeps metadata.managedFields and merges server-side apply. */
export class ManagedFields {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Brings the managedFields of `draft` up to date with what it changes in `live`. */
  readonly track: FieldTracker = (target, live, draft, request, now) => {
    const { schema } = target.descriptor;
    const [before, next] = [live, draft] as unknown as [JsonObject | undefined, JsonObject];
    const path = replicasPath(target);
    const tracked =
      path !== undefined && before !== undefined && leavesNoOwner(before, next, path)
        ? disownFields(before, next, fieldSetOf(path.join('.')))
        : updateManagedFields({ ...ownerOf(target, request, now), live: before, next, schema });
    const written = path === undefined ? tracked : setApart(tracked, fieldSetOf(path.join('.')));
    draft.metadata = written['metadata'] as unknown as KubeObject['metadata'];
  };

  /**
   * What `applied` makes of `live` (undefined: a new object), managedFields included. Throws Conflict when others own
   * fields that `applied` changes and `force` is not set.
   */
  apply(
    target: Target,
    live: KubeObject | undefined,
    applied: JsonObject,
    request: WriteRequest,
    force: boolean,
  ): JsonObject {
    const merged = applyConfiguration({
      ...ownerOf(target, request, formatTime(this.#clock.now())),
      live: live as unknown as JsonObject | undefined,
      config: applied,
      schema: target.descriptor.schema,
      kind: target.descriptor.type.kind,
      force,
    });
    const path = replicasPath(target);
    return path === undefined ? merged : setApart(merged, fieldSetOf(path.join('.')));
  }
}

/** Where the object keeps its replicas, when it is written through its Scale. */
function replicasPath({ descriptor, subresource }: Target): readonly string[] | undefined {
  const scale = subresource === 'scale' ? descriptor.subresources['scale'] : undefined;
  return scale?.type === 'scale' ? scale.specReplicas : undefined;
}

function ownerOf({ descriptor, subresource }: Target, request: WriteRequest, time: string): FieldOwner {
  return {
    manager: request.fieldManager,
    apiVersion: apiVersionOf(descriptor.type),
    subresource: subresource ?? '',
    time,
    resetFields: resetFields(descriptor, subresource),
    ...(descriptor.versions !== undefined && { versions: descriptor.versions }),
  };
}

/**
 * Whether the replicas are nobody's after a write through the Scale: when they are nobody's before, for then the Scale
 * has no managers, and when they go to 0, which a Scale does not mention.
 */
function leavesNoOwner(before: JsonObject, next: JsonObject, path: readonly string[]): boolean {
  const replicas = getPath(next, path);
  return replicas !== getPath(before, path) && (replicas === 0 || !hasOwner(before as unknown as KubeObject, path));
}

/** Whether anybody manages the field at `path`. */
export function hasOwner({ metadata }: KubeObject, path: readonly string[]): boolean {
  const elements = path.map((name) => `f:${name}`);
  const managers = decodeManagers(metadata.managedFields as unknown as Json)?.values() ?? [];
  return [...managers].some(({ fields }) => getPath(fields as JsonObject, elements) !== undefined);
}

const STATUS = fieldSetOf('status');
const NONE: FieldSet = {};

/** The fields a view of the object does not let its writers set. */
function resetFields(descriptor: Target['descriptor'], subresource: string | undefined): FieldSet {
  if (subresource === undefined) {
    if (descriptor.resets !== undefined) return fieldSetOf(...descriptor.resets);
    return descriptor.subresources['status'] === undefined ? NONE : STATUS;
  }
  const part = descriptor.subresources[subresource];
  return part?.type === 'part' ? fieldSetOf(...part.resets) : NONE;
}
