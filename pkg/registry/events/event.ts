import type { Event } from '../../api/generated/core-v1.ts';
import { events, eventsEvents } from '../../api/resources.ts';
import type { JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { event } from '../core/event.ts';
import { validateEvent, validateEventUpdate, validateNewEvent } from '../core/validation/event.ts';
import { describe, type FieldReader } from '../descriptor.ts';

/** The names that differ between the two versions of Event: events.k8s.io/v1 on the left, v1 on the right. */
const NAMES: readonly (readonly [string, string])[] = [
  ['note', 'message'],
  ['regarding', 'involvedObject'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

function renamed(object: JsonObject, from: 0 | 1, to: 0 | 1): JsonObject {
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(object)) {
    const pair = NAMES.find((names) => names[from] === key);
    result[pair === undefined ? key : pair[to]] = value;
  }
  return result;
}

const fromStored = (object: JsonObject): JsonObject => ({
  ...renamed(object, 1, 0),
  kind: 'Event',
  apiVersion: 'events.k8s.io/v1',
});
const toStored = (object: JsonObject): JsonObject => ({ ...renamed(object, 0, 1), kind: 'Event', apiVersion: 'v1' });

const inCore = (object: KubeObject): Event => toStored(object as unknown as JsonObject) as unknown as Event;

/** Field selectors, with the name that the stored form has for the field. */
const FIELDS: readonly (readonly [string, string])[] = [
  ['reason', 'reason'],
  ['regarding.kind', 'involvedObject.kind'],
  ['regarding.namespace', 'involvedObject.namespace'],
  ['regarding.name', 'involvedObject.name'],
  ['regarding.uid', 'involvedObject.uid'],
  ['regarding.apiVersion', 'involvedObject.apiVersion'],
  ['regarding.resourceVersion', 'involvedObject.resourceVersion'],
  ['regarding.fieldPath', 'involvedObject.fieldPath'],
  ['reportingController', 'reportingComponent'],
  ['type', 'type'],
];

/** Selectors are asked about objects as they are stored. */
const selectableFields = Object.fromEntries(
  FIELDS.map(([name, stored]): [string, FieldReader<KubeObject>] => [
    name,
    { read: (object) => event.selectableFields[stored]?.read(object as Event) ?? '' },
  ]),
);

export const eventsEvent = describe(eventsEvents, {
  shortNames: ['ev'],
  // The cells of the stored form: both versions print alike.
  columns: event.columns.map((column) => ({
    ...column,
    cell: (object, now) => column.cell(toStored(object as unknown as JsonObject) as unknown as Event, now),
  })),
  allowCreateOnUpdate: true,
  selectableFields,
  durability: 'lazy',
  ttlSeconds: 3600,
  validate: (object) => validateEvent(inCore(object), 'reportingController'),
  validateCreate: (object) => validateNewEvent(inCore(object)),
  updateSteps: ['content', 'metadata', 'change'],
  validateUpdate: (object, old) => validateEventUpdate(inCore(object), inCore(old)),
  storedAs: { type: events, toStored, fromStored },
});
