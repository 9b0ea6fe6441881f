import type { Event } from '../../../api/generated/core-v1.ts';
import { semanticEqual } from '../../../apimachinery/deep-equal.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isDns1123Subdomain } from '../../../apimachinery/names.ts';
import { type Findings, qualifiedName } from '../../validation/rules.ts';

const NAME_LIMIT = 128;
const NOTE_LIMIT = 1024;
const NAMESPACE = FieldPath.of('involvedObject', 'namespace');

/** Upstream's legacyValidateEvent; `controller`: what the version calls the reporting component. */
export function* validateEvent(event: Event, controller: 'reportingComponent' | 'reportingController'): Findings {
  const { metadata, involvedObject, eventTime } = event;
  const { namespace = '' } = metadata;
  const about = involvedObject.namespace ?? '';
  const mismatch = (): ReturnType<typeof fieldError.invalid> =>
    fieldError.invalid(NAMESPACE, about, 'does not match event.namespace');
  if (!eventTime) {
    if (about === '' ? namespace !== 'default' : namespace !== about) yield mismatch();
  } else {
    if (about === '' && namespace !== 'default' && namespace !== 'kube-system') yield mismatch();
    yield* validateReport(event, controller);
  }
  for (const text of isDns1123Subdomain(namespace)) yield fieldError.invalid('namespace', namespace, text);
}

function* validateReport(event: Event, controller: string): Findings {
  const { reportingComponent, reportingInstance, action, reason, message } = event;
  const at = FieldPath.of(controller);
  if (!reportingComponent) yield fieldError.required(at);
  yield* qualifiedName(at, reportingComponent ?? '');
  for (const [field, value] of Object.entries({ reportingInstance, action, reason })) {
    const path = FieldPath.of(field);
    if (!value) yield fieldError.required(path);
    else if (value.length > NAME_LIMIT) {
      yield fieldError.invalid(path, '', `can have at most ${NAME_LIMIT} characters`);
    }
  }
  if ((message ?? '').length > NOTE_LIMIT) {
    yield fieldError.invalid('message', '', `can have at most ${NOTE_LIMIT} characters`);
  }
}

/** What events.k8s.io asks of new events besides; `event` is in the form of the core group. */
export function* validateNewEvent({ series, eventTime, type, ...event }: Event): Findings {
  if (series !== undefined) yield* validateSeries(series);
  if (!eventTime) yield fieldError.required('eventTime');
  if (type !== 'Normal' && type !== 'Warning') yield fieldError.invalid('type', '', `has invalid value: ${type ?? ''}`);
  const unset = (field: string): ReturnType<typeof fieldError.invalid> =>
    fieldError.invalid(field, '', 'needs to be unset');
  if (event.firstTimestamp) yield unset('firstTimestamp');
  if (event.lastTimestamp) yield unset('lastTimestamp');
  if (event.count) yield unset('count');
  if (event.source?.component || event.source?.host) yield unset('source');
}

function* validateSeries({ count, lastObservedTime }: NonNullable<Event['series']>): Findings {
  if ((count ?? 0) < 2) yield fieldError.invalid('series.count', '', 'should be at least 2');
  if (!lastObservedTime) yield fieldError.required('series.lastObservedTime');
}

const FIXED = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'reason',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const;

/** Of events that events.k8s.io changes nothing but the series may. */
export function* validateEventUpdate(event: Event, old: Event): Findings {
  if (event.series !== undefined && !semanticEqual(event.series, old.series)) yield* validateSeries(event.series);
  for (const field of FIXED) {
    // What is not said is empty; the two groups write that differently.
    if (semanticEqual(event[field] || undefined, old[field] || undefined)) continue;
    const name = field === 'reportingComponent' ? 'reportingController' : field;
    yield fieldError.invalid(name, event[field] as never, 'field is immutable');
  }
}
