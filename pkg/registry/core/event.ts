import type { Event } from '../../api/generated/core-v1.ts';
import { events } from '../../api/resources.ts';
import { ageOf } from '../columns.ts';
import { describe, type FieldReader } from '../descriptor.ts';

const read = (reader: (event: Event) => string | undefined): FieldReader<Event> => ({
  read: (event) => reader(event) ?? '',
});

export const event = describe<Event>(events, {
  shortNames: ['ev'],
  allowCreateOnUpdate: true,
  durability: 'lazy',
  ttlSeconds: 3600,
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
      cell: (event, now) => ageOf(event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime, now),
    },
    { name: 'Type', type: 'string', cell: ({ type }) => type ?? '' },
    { name: 'Reason', type: 'string', cell: ({ reason }) => reason ?? '' },
    {
      name: 'Object',
      type: 'string',
      cell: ({ involvedObject: { kind, name } }) => `${(kind ?? '').toLowerCase()}/${name ?? ''}`,
    },
    { name: 'Subobject', type: 'string', priority: 1, cell: ({ involvedObject }) => involvedObject.fieldPath ?? '' },
    {
      name: 'Source',
      type: 'string',
      priority: 1,
      cell: ({ source: { component, host }, reportingComponent }) =>
        [component || reportingComponent, host].filter(Boolean).join(', '),
    },
    { name: 'Message', type: 'string', cell: ({ message }) => (message ?? '').trim() },
    {
      name: 'First Seen',
      type: 'string',
      priority: 1,
      cell: (event, now) => ageOf(event.firstTimestamp ?? event.eventTime, now),
    },
    { name: 'Count', type: 'string', priority: 1, cell: ({ series, count }) => series?.count ?? count ?? 1 },
    { name: 'Name', type: 'string', format: 'name', priority: 1, cell: ({ metadata }) => metadata.name },
  ],
});
