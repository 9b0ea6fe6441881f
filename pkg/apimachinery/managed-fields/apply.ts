/** Server-side apply (structured-merge-diff's Updater.Apply and the field managers of the apiserver around it). */
import type { Json, JsonObject, StructSchema } from '../../api/schema.ts';
import { deepEqual } from '../deep-equal.ts';
import { stableStringify } from '../hash.ts';
import { getKey, isJsonObject } from '../json.ts';
import { statusErrors } from '../status-error.ts';
import { compare } from './compare.ts';
import { type Conflict, conflictError, findConflicts, withoutAllowed } from './conflicts.ts';
import { fieldsOf } from './extract.ts';
import {
  difference,
  EMPTY_SET,
  type FieldSet,
  intersection,
  isEmptySet,
  recursiveDifference,
  sortSet,
  union,
} from './field-set.ts';
import {
  BEFORE_FIRST_APPLY,
  capManagers,
  decodeManagers,
  encodeManagers,
  type Managers,
  managerKey,
} from './managers.ts';
import { mergeTyped, removeFields, withNamedFields } from './merge.ts';
import { checkTypes } from './type-errors.ts';
import { TypedError } from './typed.ts';
import {
  changesFor,
  emptyObject,
  type FieldOwner,
  managedFieldsOf,
  recordChange,
  takeAway,
  trackedFields,
  withManagedFields,
  withoutManagedFields,
} from './update.ts';

export interface ApplyRequest extends FieldOwner {
  /** The stored object; undefined when apply creates it. */
  readonly live: JsonObject | undefined;
  /** The configuration as the client sent it, parsed and otherwise untouched. */
  readonly config: JsonObject;
  readonly schema: StructSchema;
  readonly kind: string;
  /** Take fields from their managers instead of failing. */
  readonly force: boolean;
}

/** kubectl's manager name for server-side apply; what it applied client-side before is not a conflict. */
const KUBECTL = 'kubectl';
export const LAST_APPLIED_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The object the configuration leads to, managedFields included; it still has to be decoded, defaulted and validated.
 * When the configuration changes nothing this is the live object with, at most, other managedFields.
 * Throws a StatusError: 400 for a wrong kind or given managedFields, 409 for conflicts, 500 for undeclared fields.
 */
export function applyConfiguration(request: ApplyRequest): JsonObject {
  checkConfiguration(request);
  const { live, schema } = request;
  const managers = decodeManagers(managedFieldsOf(live)) ?? new Map();
  const before = live === undefined ? emptyObject(schema) : withoutManagedFields(live);
  if (live !== undefined && managers.size === 0) {
    const unknown = { ...request, manager: BEFORE_FIRST_APPLY };
    recordChange(managers, emptyObject(schema), before, unknown, schema);
  }
  const object = merge(request, before, managers);
  capManagers(managers);
  return withManagedFields(refreshLastApplied(request, object), encodeManagers(managers.values()));
}

function checkConfiguration({ config, apiVersion, kind }: ApplyRequest): void {
  const given = { apiVersion: config['apiVersion'] ?? '', kind: config['kind'] ?? '' };
  if (given.apiVersion !== apiVersion || given.kind !== kind) {
    const version = String(given.apiVersion);
    throw statusErrors.badRequest(
      `invalid object type: ${version.includes('/') ? version : `/${version}`}, Kind=${String(given.kind)}`,
    );
  }
  const managedFields = managedFieldsOf(config);
  if (managedFields !== undefined && managedFields !== null) {
    throw statusErrors.badRequest('metadata.managedFields must be nil');
  }
}

/** Merges, prunes, and settles who owns what; `managers` is brought up to date. */
function merge(request: ApplyRequest, before: JsonObject, managers: Managers): JsonObject {
  const { config, schema, apiVersion, subresource, resetFields = EMPTY_SET } = request;
  const identity = { manager: request.manager, operation: 'Apply', apiVersion, subresource } as const;
  const key = managerKey(identity);
  const last = managers.get(key);
  // While it is merged the configuration holds on to all of its fields, those that nobody owns in the end included.
  const configured = recursiveDifference(configuredFields(request), resetFields);
  managers.set(key, { ...identity, time: last?.time, fields: configured });

  const merged = mergeTyped(before, config, schema);
  const lastFields = recursiveDifference(last?.fields ?? EMPTY_SET, resetFields);
  const pruned = isEmptySet(lastFields) ? merged : prune(merged, managers, lastFields, schema);
  const after: JsonObject = isJsonObject(pruned) ? pruned : {};

  const changes = compare(before, after, schema);
  if (!request.force) {
    let conflicts = findConflicts(managers, key, (manager) => {
      const { added, modified } = changesFor(manager, changes, request);
      return request.versions?.includes(manager.apiVersion) === false ? EMPTY_SET : union(added, modified);
    });
    const allowed = conflicts.length > 0 ? allowedByLastApplied(request) : undefined;
    if (allowed !== undefined) conflicts = withoutAllowed(conflicts, allowed);
    if (conflicts.length > 0) throw conflictError(subresource === 'scale' ? conflicts.map(inScale) : conflicts);
  }
  takeAway(managers, changes, request, key);
  const isUnchanged = deepEqual(before, after);
  const time = isUnchanged ? last?.time : request.time;
  managers.set(key, { ...identity, time, fields: sortSet(trackedFields(configured)) });
  return isUnchanged ? before : after;
}

/** A conflict as those see it who apply a Scale: it can only be about its replicas. */
const inScale = ({ manager }: Conflict): Conflict => ({
  manager: { ...manager, apiVersion: 'autoscaling/v1' },
  path: ['f:spec', 'f:replicas'],
});

function configuredFields({ config, schema, apiVersion, kind }: ApplyRequest): FieldSet {
  try {
    checkTypes(config, schema);
    return fieldsOf(config, schema);
  } catch (error) {
    if (!(error instanceof TypedError)) throw error;
    const metadata = isJsonObject(config['metadata']) ? config['metadata'] : {};
    const name = `${metadata['namespace'] ?? ''}/${metadata['name'] ?? ''}`;
    const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
    throw statusErrors.unclassified(
      `failed to create typed patch object (${name}; ${version}, Kind=${kind}): ${error.message}`,
    );
  }
}

/**
 * Takes out what the applier owned and no longer configures, unless somebody else owns it. Unowned fields inside an
 * item or struct that goes (its defaults, say) go with it; unowned fields elsewhere stay.
 */
function prune(merged: Json, managers: Managers, lastFields: FieldSet, schema: StructSchema): Json {
  const last = withNamedFields(lastFields, schema);
  const pruned = removeFields(merged, last, schema);
  let owned = EMPTY_SET;
  for (const { fields } of managers.values()) owned = union(owned, fields);
  const all = withNamedFields(fieldsOf(merged, schema), schema);
  const kept = union(fieldSetOfValue(pruned, schema), withNamedFields(owned, schema));
  const withOwned = removeFields(merged, difference(all, kept), schema);
  const gone = intersection(difference(all, fieldSetOfValue(withOwned, schema)), last);
  return removeFields(merged, gone, schema);
}

const fieldSetOfValue = (value: Json, schema: StructSchema): FieldSet =>
  isJsonObject(value) ? withNamedFields(fieldsOf(value, schema), schema) : EMPTY_SET;

/**
 * For kubectl going over from client-side to server-side apply: the fields of the last applied configuration that still
 * have their value, which it may take from any manager. Undefined when that does not apply.
 */
function allowedByLastApplied({ manager, live, schema, apiVersion }: ApplyRequest): FieldSet | undefined {
  const text = manager === KUBECTL && live !== undefined ? lastAppliedOf(live) : undefined;
  if (text === undefined || live === undefined) return undefined;
  try {
    const lastApplied = JSON.parse(text) as Json;
    if (!isJsonObject(lastApplied) || lastApplied['apiVersion'] !== apiVersion) return undefined;
    const { added, modified, removed } = compare(lastApplied, withoutManagedFields(live), schema);
    const fields = fieldsOf(lastApplied, schema);
    return difference(difference(difference(fields, modified), added), removed);
  } catch (error) {
    // Anybody may write annotations; one that makes no sense just does not help.
    if (error instanceof SyntaxError || error instanceof TypedError) return undefined;
    throw error;
  }
}

function lastAppliedOf(object: JsonObject): string | undefined {
  const metadata = object['metadata'];
  const annotations = isJsonObject(metadata) ? metadata['annotations'] : undefined;
  const text = isJsonObject(annotations) ? getKey(annotations, LAST_APPLIED_ANNOTATION) : undefined;
  return typeof text === 'string' && text !== '' ? text : undefined;
}

/** kubectl's annotation follows its server-side applies, so that going back to client-side apply works. */
function refreshLastApplied({ manager, config }: ApplyRequest, object: JsonObject): JsonObject {
  if (manager !== KUBECTL || lastAppliedOf(object) === undefined) return object;
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {};
  const applied = `${stableStringify(withoutLastApplied(config))}\n`;
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED_ANNOTATION]: applied } } };
}

function withoutLastApplied(config: JsonObject): JsonObject {
  if (lastAppliedOf(config) === undefined || !isJsonObject(config['metadata'])) return config;
  const { [LAST_APPLIED_ANNOTATION]: _, ...annotations } = config['metadata']['annotations'] as JsonObject;
  return { ...config, metadata: { ...config['metadata'], annotations } };
}
