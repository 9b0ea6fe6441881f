import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTimeZone, parseCronSchedule } from './cron-schedule.ts';

const FROM = Date.parse('2026-01-01T00:00:10Z');
const times = (text: string, zone = 'UTC', from = FROM): string[] => {
  const schedule = parseCronSchedule(text, zone);
  const found: string[] = [];
  for (let at = schedule.next(from); at !== undefined && found.length < 3; at = schedule.next(at)) {
    found.push(new Date(at).toISOString().slice(5, 16));
  }
  return found;
};

test('when schedules come due', () => {
  assert.deepEqual(times('*/7 * * * *'), ['01-01T00:07', '01-01T00:14', '01-01T00:21']);
  assert.deepEqual(times('5/20 * * * *'), ['01-01T00:05', '01-01T00:25', '01-01T00:45']);
  assert.deepEqual(times('1,2 3 ? jan sun'), ['01-04T03:01', '01-04T03:02', '01-11T03:01']);
  assert.deepEqual(times('@daily'), ['01-02T00:00', '01-03T00:00', '01-04T00:00']);
  assert.deepEqual(times('@every 90m'), ['01-01T01:30', '01-01T03:00', '01-01T04:30']);
  assert.deepEqual(times('0 12 * * *', 'Asia/Tokyo'), ['01-01T03:00', '01-02T03:00', '01-03T03:00']);
  assert.deepEqual(times('0 0 13 * 5'), ['01-02T00:00', '01-09T00:00', '01-13T00:00'], 'either day will do');
  assert.deepEqual(times('0 0 31 2 *'), []);
});

test('summer time', () => {
  const march = times('30 3 * * *', 'Europe/Berlin', Date.parse('2026-03-28T00:00:00Z'));
  assert.deepEqual(march, ['03-28T02:30', '03-29T01:30', '03-30T01:30']);
});

test('what is no schedule', () => {
  const cases: [string, RegExp][] = [
    ['', /empty spec string/],
    ['x', /expected exactly 5 fields, found 1: \[x\]/],
    ['* * * * * *', /expected exactly 5 fields, found 6/],
    ['@reboot', /unrecognized descriptor: @reboot/],
    ['@every soon', /failed to parse duration @every soon/],
    ['60 * * * *', /60/],
    ['0 0 L * *', /failed to parse int from L/],
  ];
  for (const [text, error] of cases) assert.throws(() => parseCronSchedule(text), error, text);
  assert.deepEqual([isTimeZone('Europe/Paris'), isTimeZone('Mars/Base')], [true, false]);
});
