import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { parseRequestInfo } from '../request-info.ts';
import type { Store } from '../storage/store.ts';
import type { Exchange } from './exchange.ts';
import { Traffic } from './traffic.ts';

const store = { caches: () => [{ prefix: '/registry/core/pods/', size: 3 }] } as unknown as Store;

function exchange(
  method: string,
  url: string,
  groups: readonly string[] = [],
): Exchange & { answer(code: number): void } {
  const { pathname, searchParams } = new URL(url, 'https://server');
  const response = Object.assign(new EventEmitter(), { statusCode: 200 });
  const made = {
    info: parseRequestInfo(method, pathname, searchParams),
    query: searchParams,
    request: { method, headers: {} },
    response,
    user: { name: 'u', groups },
    answer(code: number): void {
      response.statusCode = code;
      response.emit('close');
    },
  };
  return made as unknown as Exchange & { answer(code: number): void };
}

test('answered requests are counted and timed, by what they were about', () => {
  const traffic = new Traffic();
  for (const code of [200, 404]) {
    const get = exchange('GET', '/api/v1/namespaces/n/pods/p');
    assert.ok(traffic.enter(get, true));
    get.answer(code);
  }
  const unknown = exchange('GET', '/apis/made.up/v1/things');
  traffic.enter(unknown, false);
  unknown.answer(404);
  const text = traffic.text(store);
  const labels =
    'component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="GET",version="v1"';
  assert.ok(text.includes(`apiserver_request_total{code="200",${labels}} 1\n`), text);
  assert.ok(text.includes(`apiserver_request_duration_seconds_count{${labels}} 2\n`), text);
  assert.ok(!text.includes('made.up') && !text.includes('things'), 'clients cannot make up series');
  assert.match(text, /^apiserver_storage_objects\{resource="pods"\} 3$/m);
});

test('too many at once are refused; watches and administrators never', () => {
  const traffic = new Traffic();
  const writes = Array.from({ length: 200 }, () => exchange('POST', '/api/v1/namespaces/n/pods'));
  assert.ok(writes.every((write) => traffic.enter(write, true)));
  assert.equal(traffic.enter(exchange('POST', '/api/v1/namespaces/n/pods'), true), false);
  assert.ok(traffic.enter(exchange('POST', '/api/v1/namespaces/n/pods', ['system:masters']), true));
  assert.ok(traffic.enter(exchange('GET', '/api/v1/pods'), true), 'reading has a limit of its own');
  const watches = Array.from({ length: 500 }, () => exchange('GET', '/api/v1/pods?watch=true'));
  assert.ok(watches.every((watch) => traffic.enter(watch, true)));
  assert.match(traffic.text(store), /^apiserver_longrunning_requests\{.*verb="WATCH".*\} 500$/m);
  for (const write of writes) write.answer(201);
  assert.ok(traffic.enter(exchange('POST', '/api/v1/namespaces/n/pods'), true));
  assert.match(traffic.text(store), /^apiserver_current_inflight_requests\{request_kind="mutating"\} 2$/m);
});
