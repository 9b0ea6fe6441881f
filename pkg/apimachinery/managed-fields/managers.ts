/** The list of `metadata.managedFields`: who manages what, decoded, capped and put back in order. */
import type { Json, JsonObject } from '../../api/schema.ts';
import { isJsonObject } from '../json.ts';
import { parseTime } from '../time.ts';
import { type FieldSet, isEmptySet, sortSet, union } from './field-set.ts';

export type Operation = 'Apply' | 'Update';

/** One entry. `fields` is its FieldsV1 tree as it was parsed. */
export interface Manager {
  readonly manager: string;
  readonly operation: Operation;
  readonly apiVersion: string;
  /** Empty for the main resource. */
  readonly subresource: string;
  /** RFC 3339; absent when nothing was ever changed through it. */
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** Entries by identity, see managerKey. */
export type Managers = Map<string, Manager>;

/** Owner of what was there before the first apply. */
export const BEFORE_FIRST_APPLY = 'before-first-apply';
/** Owner of what the oldest updaters owned when there were too many of them. */
export const ANCIENT_CHANGES = 'ancient-changes';
const MAX_UPDATE_MANAGERS = 10;

/** Appliers are the same whatever version they use; updaters are not. The text sorts as upstream sorts managers. */
export function managerKey({ manager, operation, apiVersion, subresource }: Omit<Manager, 'time' | 'fields'>): string {
  return JSON.stringify({
    ...(manager !== '' && { manager }),
    operation,
    ...(operation === 'Update' && { apiVersion }),
    ...(subresource !== '' && { subresource }),
  });
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

/** Decodes a list; undefined when it is malformed. */
export function decodeManagers(list: Json | undefined): Managers | undefined {
  const managers: Managers = new Map();
  if (list === undefined || list === null) return managers;
  if (!Array.isArray(list)) return undefined;
  for (const entry of list) {
    if (!isJsonObject(entry)) return undefined;
    const operation = entry['operation'];
    const fields = entry['fieldsV1'] ?? {};
    if (operation !== 'Apply' && operation !== 'Update') return undefined;
    if (text(entry['apiVersion']) === '' || entry['fieldsType'] !== 'FieldsV1' || !isFieldSet(fields)) return undefined;
    const manager: Manager = {
      manager: text(entry['manager']),
      operation,
      apiVersion: text(entry['apiVersion']),
      subresource: text(entry['subresource']),
      time: typeof entry['time'] === 'string' ? entry['time'] : undefined,
      fields,
    };
    managers.set(managerKey(manager), manager);
  }
  return managers;
}

/** Whether the JSON is a FieldsV1 tree: objects all the way down, keys of the known forms. */
function isFieldSet(value: Json): value is JsonObject & FieldSet {
  if (!isJsonObject(value)) return false;
  for (const key in value) {
    if (key !== '.' && !/^[fkvi]:/.test(key)) return false;
    if (!isFieldSet(value[key] ?? null)) return false;
  }
  return true;
}

/** The list to store: entries that own nothing are left out, the rest stand by operation, age and name. */
export function encodeManagers(managers: Iterable<Manager>): JsonObject[] {
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...managers]
    .filter(({ fields }) => !isEmptySet(fields))
    .sort(
      (a, b) =>
        order(a.operation, b.operation) ||
        // Stored times all have the same form: their texts sort as they do.
        order(a.time ?? '', b.time ?? '') ||
        order(a.manager, b.manager) ||
        order(a.apiVersion, b.apiVersion) ||
        order(a.subresource, b.subresource),
    )
    .map(({ manager, operation, apiVersion, subresource, time, fields }) => ({
      manager,
      operation,
      apiVersion,
      ...(time !== undefined && { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: fields as JsonObject,
      ...(subresource !== '' && { subresource }),
    }));
}

/** Replaces an entry's fields; an entry without fields goes. */
export function setFields(managers: Managers, key: string, manager: Manager, fields: FieldSet): void {
  if (fields === manager.fields) return;
  if (isEmptySet(fields)) managers.delete(key);
  else managers.set(key, { ...manager, fields: sortSet(fields) });
}

/** Gathers the oldest updaters into one entry per version while there are more than ten. */
export function capManagers(managers: Managers): void {
  if (managers.size <= MAX_UPDATE_MANAGERS) return;
  const updaters = [...managers].filter(([, { operation }]) => operation === 'Update');
  let surplus = updaters.length - MAX_UPDATE_MANAGERS;
  if (surplus <= 0) return;
  const age = ({ time }: Manager): number => parseTime(time) ?? 0;
  updaters.sort(([a, one], [b, other]) => age(one) - age(other) || (a < b ? -1 : 1));
  const firsts = new Map<string, [string, Manager]>();
  for (const [key, updater] of updaters) {
    if (surplus <= 0) return;
    const first = firsts.get(updater.apiVersion);
    if (first === undefined) {
      firsts.set(updater.apiVersion, [key, updater]);
      continue;
    }
    const bucket = { manager: ANCIENT_CHANGES, operation: 'Update', subresource: '' } as const;
    const bucketKey = managerKey({ ...bucket, apiVersion: updater.apiVersion });
    let gathered = managers.get(bucketKey)?.fields;
    if (gathered === undefined) {
      gathered = first[1].fields;
      managers.delete(first[0]);
    }
    managers.delete(key);
    managers.set(bucketKey, { ...updater, ...bucket, fields: sortSet(union(updater.fields, gathered)) });
    surplus--;
  }
}
