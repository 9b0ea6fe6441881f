/** Keeping `metadata.managedFields` through creates, updates and patches (structured-merge-diff's Updater.Update). */
import type { Json, JsonObject, StructSchema } from '../../api/schema.ts';
import { canonicalize } from '../canonical.ts';
import { isJsonObject } from '../json.ts';
import { type Comparison, compare, excludeFields, isUnchanged } from './compare.ts';
import {
  difference,
  EMPTY_SET,
  type FieldSet,
  fieldSetOf,
  isEmptySet,
  recursiveDifference,
  sortSet,
  union,
} from './field-set.ts';
import {
  capManagers,
  decodeManagers,
  encodeManagers,
  type Manager,
  type Managers,
  managerKey,
  setFields,
} from './managers.ts';
import { TypedError } from './typed.ts';

export interface FieldOwner {
  /** ?fieldManager= or, without it, the first word of the user agent. */
  readonly manager: string;
  /** Of the object as the request sees it: `apps/v1`. */
  readonly apiVersion: string;
  /** `status`, `scale`, …; empty for the main resource. */
  readonly subresource: string;
  /** RFC 3339, now. */
  readonly time: string;
  /** Fields that this (sub)resource does not let its callers set, see fieldSetOf; they are never owned through it. */
  readonly resetFields?: FieldSet;
  /**
   * Custom resources: the apiVersions there are. Entries of others go, and what is reset is so for the owner's own
   * version only.
   */
  readonly versions?: readonly string[];
}

export interface UpdateRequest extends FieldOwner {
  /** The stored object; undefined for a create. */
  readonly live: JsonObject | undefined;
  /** The object as it is about to be stored, after defaulting and before admission. */
  readonly next: JsonObject;
  readonly schema: StructSchema;
}

/** Fields that are everybody's or nobody's. */
const UNTRACKED = fieldSetOf(
  'apiVersion',
  'kind',
  'metadata',
  'metadata.name',
  'metadata.namespace',
  'metadata.creationTimestamp',
  'metadata.selfLink',
  'metadata.uid',
  'metadata.clusterName',
  'metadata.generation',
  'metadata.managedFields',
  'metadata.resourceVersion',
);

export const trackedFields = (fields: FieldSet): FieldSet => difference(fields, UNTRACKED);

/** `next` with its managedFields brought up to date; `next` itself is not changed. */
export function updateManagedFields(request: UpdateRequest): JsonObject {
  const { live, next, schema, subresource } = request;
  const managers = startingManagers(live, next, subresource !== '');
  if (live !== undefined && managers.size === 0) return withManagedFields(next, []);
  const before = live === undefined ? emptyObject(schema) : withoutManagedFields(live);
  const after = canonicalize(withoutManagedFields(next), schema);
  try {
    recordChange(managers, before, after, request, schema);
  } catch (error) {
    // Validation will tell what is wrong with such an object; here only that nobody can be said to own its parts.
    if (!(error instanceof TypedError)) throw error;
  }
  capManagers(managers);
  return withManagedFields(next, encodeManagers(managers.values()));
}

/** `next` with the managers of `live`, of whom nobody owns `fields` any longer. */
export function disownFields(live: JsonObject, next: JsonObject, fields: FieldSet): JsonObject {
  const managers = decodeManagers(managedFieldsOf(live)) ?? new Map<string, Manager>();
  for (const [key, manager] of [...managers]) setFields(managers, key, manager, difference(manager.fields, fields));
  return withManagedFields(next, encodeManagers(managers.values()));
}

/**
 * What a write through the Scale leaves of an object's managers: upstream's scale handler knows updaters of `replicas`
 * by another apiVersion, so their hold on it becomes an entry of its own, and it has no times.
 */
export function setApart(object: JsonObject, replicas: FieldSet): JsonObject {
  const managers = decodeManagers(managedFieldsOf(object)) ?? new Map<string, Manager>();
  const entries = [...managers.values()].flatMap((manager) => {
    const rest = difference(manager.fields, replicas);
    if (manager.operation === 'Apply' || rest === manager.fields)
      return manager.subresource === 'scale' ? { ...manager, time: undefined } : manager;
    return [
      { ...manager, fields: rest },
      { ...manager, time: undefined, fields: replicas },
    ];
  });
  return withManagedFields(object, encodeManagers(entries));
}

/** Gives the owner what changed between the two objects, and takes it from everybody else. */
export function recordChange(
  managers: Managers,
  before: JsonObject,
  after: JsonObject,
  owner: FieldOwner,
  schema: StructSchema,
): void {
  const { resetFields = EMPTY_SET } = owner;
  const all = compare(before, after, schema);
  if (isUnchanged(all)) return;
  const changes = excludeFields(all, resetFields);
  const gained = recursiveDifference(trackedFields(union(changes.added, changes.modified)), resetFields);
  takeAway(managers, all, owner, undefined);
  if (isEmptySet(gained)) return;
  const identity = {
    manager: owner.manager === '' ? 'unknown' : owner.manager,
    operation: 'Update' as const,
    apiVersion: owner.apiVersion,
    subresource: owner.subresource,
  };
  const key = managerKey(identity);
  const fields = union(managers.get(key)?.fields ?? EMPTY_SET, gained);
  managers.set(key, { ...identity, time: owner.time, fields: sortSet(fields) });
}

/** Removes from all entries, but the one spared, what was changed by someone else or is gone. */
export function takeAway(managers: Managers, changes: Comparison, owner: FieldOwner, spared: string | undefined): void {
  for (const [key, manager] of [...managers]) {
    if (key === spared) continue;
    const { added, modified, removed } = changesFor(manager, changes, owner);
    if (owner.versions?.includes(manager.apiVersion) === false) managers.delete(key);
    else setFields(managers, key, manager, difference(manager.fields, union(union(added, modified), removed)));
  }
}

/** The changes as the manager's version sees them. */
export function changesFor(manager: Manager, changes: Comparison, owner: FieldOwner): Comparison {
  const { resetFields = EMPTY_SET, versions, apiVersion } = owner;
  const isReset = versions === undefined || manager.apiVersion === apiVersion;
  return isReset ? excludeFields(changes, resetFields) : changes;
}

/**
 * The entries to start from. A client may set managedFields itself through the main resource; an unreadable or missing
 * list is taken from the live object, and a list of one empty entry starts afresh.
 */
function startingManagers(live: JsonObject | undefined, next: JsonObject, isSubresource: boolean): Managers {
  const liveList = managedFieldsOf(live);
  const nextList = managedFieldsOf(next);
  if (!isSubresource) {
    if (Array.isArray(nextList) && nextList.length === 1 && isBlank(nextList[0])) return new Map();
    const given = decodeManagers(nextList);
    if (given !== undefined && given.size > 0) return given;
  }
  return decodeManagers(liveList) ?? new Map<string, Manager>();
}

const isBlank = (entry: Json | undefined): boolean => isJsonObject(entry) && Object.keys(entry).length === 0;

export function managedFieldsOf(object: JsonObject | undefined): Json | undefined {
  const metadata = object?.['metadata'];
  return isJsonObject(metadata) ? metadata['managedFields'] : undefined;
}

export function withoutManagedFields(object: JsonObject): JsonObject {
  return managedFieldsOf(object) === undefined ? object : withManagedFields(object, []);
}

export function withManagedFields(object: JsonObject, list: JsonObject[]): JsonObject {
  const metadata = object['metadata'];
  const { managedFields: _, ...rest }: JsonObject = isJsonObject(metadata) ? metadata : {};
  return { ...object, metadata: list.length === 0 ? rest : { ...rest, managedFields: list } };
}

/** What a new object is compared with: a kind's zero value, as Go would write it. Shared, not to be changed. */
export function emptyObject(schema: StructSchema): JsonObject {
  let empty = emptyObjects.get(schema);
  if (empty === undefined) {
    empty = canonicalize({}, schema);
    emptyObjects.set(schema, empty);
  }
  return empty;
}

const emptyObjects = new WeakMap<StructSchema, JsonObject>();
