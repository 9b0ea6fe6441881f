import type { JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { applyConfiguration } from '../../apimachinery/managed-fields/apply.ts';
import { type FieldSet, fieldSetOf } from '../../apimachinery/managed-fields/field-set.ts';
import { type FieldOwner, updateManagedFields } from '../../apimachinery/managed-fields/update.ts';
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
    const { kind } = target.descriptor.type;
    const tracked = updateManagedFields({
      ...ownerOf(target, request, now),
      live: live as unknown as JsonObject | undefined,
      next: draft as unknown as JsonObject,
      schema: target.descriptor.schema,
      kind,
    } as Parameters<typeof updateManagedFields>[0]);
    draft.metadata = tracked['metadata'] as unknown as KubeObject['metadata'];
    forgetScaleTimes(draft.metadata);
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
    forgetScaleTimes(merged['metadata'] as unknown as KubeObject['metadata']);
    return merged;
  }
}

function ownerOf({ descriptor, subresource }: Target, request: WriteRequest, time: string): FieldOwner {
  return {
    manager: request.fieldManager,
    apiVersion: apiVersionOf(descriptor.type),
    subresource: subresource ?? '',
    time,
    resetFields: resetFields(descriptor, subresource),
  };
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

/** Upstream's scale handler carries no times over. */
function forgetScaleTimes({ managedFields }: KubeObject['metadata']): void {
  for (const entry of managedFields ?? []) if (entry.subresource === 'scale') delete entry.time;
}
