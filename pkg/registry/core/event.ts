import type { Event } from '../../api/generated/core-v1.ts';
import { events } from '../../api/resources.ts';
import { nameIsPathSegment } from '../../apimachinery/names.ts';
import { ageOf, nameColumn } from '../columns.ts';
import { describe, type FieldReader } from '../descriptor.ts';
import { validateEvent } from './validation/event.ts';

const read = (reader: (event: Event) => string | undefined): FieldReader<Event> => ({
  read: (event) => reader(event) ?? '',
});

export const event = describe<Event>(events, {
  shortNames: ['ev'],
  allowCreateOnUpdate: true,
  durability: 'lazy',
  ttlSeconds: 3600,
  validateName: nameIsPathSegment,
  updateSteps: ['content'],
  validate: (object) => validateEvent(object, 'reportingComponent'),
  selectableFields: {
    'involvedObject.kind': read(({ involvedObject }) => involvedObject.kind),
    'involvedObject.namespace': read(({ involvedObject }) => involvedObject.namespace),
    'involvedObject.name': read(({ involvedObject }) => involvedObject.name),
    'involvedObject.uid': read(({ involvedObject }) => involvedObject.uid),
    'involvedObject.apiVersion': read(({ involvedObject }) => involvedObject.apiVersion),
    'involvedObject.resourceVersion': read(({ involvedObject }) => involvedObject.resourceVersion),
    'involvedObject.fieldPath': read(({ involvedObject }) => involvedObject.fieldPath),
    reason: read(({ reason }) => reason),
    reportingComponent: read(({ reportingComponent, source }) => reportingComponent || source.component),
    source: read(({ reportingComponent, source }) => source.component || reportingComponent),
    type: read(({ type }) => type),
  },
  columns: [
    {
      name: 'Last Seen',
      type: 'string',
      doc: ['core.v1.Event', 'lastTimestamp'],
      cell: ({ series, lastTimestamp, firstTimestamp, eventTime }, now) =>
        ageOf(series?.lastObservedTime ?? lastTimestamp ?? firstTimestamp ?? eventTime, now),
    },
    { name: 'Type', type: 'string', doc: ['core.v1.Event', 'type'], cell: ({ type }) => type ?? '' },
    { name: 'Reason', type: 'string', doc: ['core.v1.Event', 'reason'], cell: ({ reason }) => reason ?? '' },
    {
      name: 'Object',
      type: 'string',
      description: 'The object that this event is about.',
      cell: ({ involvedObject: { kind = '', name } }) => kind.toLowerCase() + (name ? `/${name}` : ''),
    },
    {
      name: 'Subobject',
      type: 'string',
      doc: ['core.v1.ObjectReference', 'fieldPath'],
      priority: 1,
      cell: ({ involvedObject }) => involvedObject.fieldPath ?? '',
    },
    {
      name: 'Source',
      type: 'string',
      description: 'The component reporting this event. Should be a short machine understandable string.',
      priority: 1,
      cell: ({ source, reportingComponent, reportingInstance }) => {
        const instance = source.host || reportingInstance;
        return (source.component || reportingComponent || '') + (instance ? `, ${instance}` : '');
      },
    },
    {
      name: 'Message',
      type: 'string',
      doc: ['core.v1.Event', 'message'],
      cell: ({ message }) => (message ?? '').trim(),
    },
    {
      name: 'First Seen',
      type: 'string',
      doc: ['core.v1.Event', 'firstTimestamp'],
      priority: 1,
      cell: (event, now) => ageOf(event.firstTimestamp ?? event.eventTime, now),
    },
    {
      name: 'Count',
      type: 'string',
      doc: ['core.v1.Event', 'count'],
      priority: 1,
      // A series counts what came after its first event.
      cell: ({ series, count }) => (series === undefined ? count || 1 : (series.count ?? 0) + 1),
    },
    { ...nameColumn, priority: 1 },
  ],
});
