import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../pkg/api/schema.ts';
import type { Answer, ApiServerProcess } from '../api-server.ts';
import { until } from '../controllers/cluster.ts';
import { JSON_FORM, type WatchEvent } from '../every-kind/forms.ts';
import { assertHolds } from '../every-kind/holds.ts';

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};

interface Expected {
  /** The status of the answer, 200 (201 of creations) unless told. */
  readonly status?: number;
  /** What the answer has to hold, at least. */
  readonly holds?: JsonObject;
}

interface Sent extends Expected {
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Without the administrator's certificate. */
  readonly anonymous?: boolean;
}

/** Requests to one server, as conformance tests make them: each says what it expects of the answer. */
export class Api {
  readonly #server: ApiServerProcess;

  constructor(server: ApiServerProcess) {
    this.#server = server;
  }

  send(method: string, path: string, body?: Json | string, sent: Sent = {}): Promise<Answer> {
    const { accept = 'application/json', type = 'application/json', headers = {}, anonymous = false } = sent;
    return this.#server.send({
      method,
      path,
      anonymous,
      headers: { accept, ...(body === undefined ? {} : { 'content-type': type }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }

  async call(method: string, path: string, body?: Json | string, sent: Sent = {}): Promise<JsonObject> {
    const { status = method === 'POST' ? 201 : 200, holds } = sent;
    const answer = await this.send(method, path, body, sent);
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    const object = JSON.parse(answer.text) as JsonObject;
    if (holds !== undefined) assertHolds(object, holds);
    return object;
  }

  get(path: string, sent: Sent = {}): Promise<JsonObject> {
    return this.call('GET', path, undefined, sent);
  }

  post(path: string, body: JsonObject, sent: Sent = {}): Promise<JsonObject> {
    return this.call('POST', path, body, sent);
  }

  put(path: string, body: JsonObject, sent: Sent = {}): Promise<JsonObject> {
    return this.call('PUT', path, body, sent);
  }

  /** A patch of some kind; apply is made as `tester` unless told. */
  patch(kind: keyof typeof PATCH_TYPES, path: string, body: Json | string, sent: Sent = {}): Promise<JsonObject> {
    const target =
      kind === 'apply' && !path.includes('fieldManager')
        ? `${path}${path.includes('?') ? '&' : '?'}fieldManager=tester`
        : path;
    return this.call('PATCH', target, body, { ...sent, type: PATCH_TYPES[kind] });
  }

  delete(path: string, sent: Sent = {}): Promise<JsonObject> {
    return this.call('DELETE', path, undefined, sent);
  }

  /** Reads, changes and writes until nobody came between. */
  update(path: string, change: (object: JsonObject) => JsonObject, part = ''): Promise<JsonObject> {
    return until(`a write of ${path}${part}`, async () => {
      const changed = change(await this.get(path));
      const answer = await this.send('PUT', `${path}${part}`, changed);
      if (answer.status === 409) return undefined;
      assert.equal(answer.status, 200, answer.text);
      return JSON.parse(answer.text) as JsonObject;
    });
  }

  async items(path: string): Promise<JsonObject[]> {
    return (await this.get(path))['items'] as JsonObject[];
  }

  /** Waits until the object holds something. */
  untilHolds(path: string, holds: (object: JsonObject) => boolean): Promise<JsonObject> {
    return until(`something of ${path}`, async () => {
      const answer = await this.send('GET', path);
      const object = JSON.parse(answer.text) as JsonObject;
      return answer.status === 200 && holds(object) ? object : undefined;
    });
  }

  async untilGone(path: string): Promise<void> {
    await until(`${path} is gone`, async () => (await this.send('GET', path)).status === 404 || undefined);
  }

  /** The events of a watch until there are enough of them. */
  async events(path: string, isEnough: (events: WatchEvent[]) => boolean): Promise<WatchEvent[]> {
    const read = (bytes: Buffer): WatchEvent[] => JSON_FORM.events?.(bytes) ?? [];
    const call = { method: 'GET', path: `${path}&watch=true&timeoutSeconds=120` };
    const { status, bytes, text } = await this.#server.send({ ...call, isEnough: (seen) => isEnough(read(seen)) });
    assert.equal(status, 200, text);
    const events = read(bytes);
    assert.ok(isEnough(events), `the watch ended with ${text}`);
    return events;
  }

  /** A new namespace with its default account; its name. */
  async namespace(name: string): Promise<string> {
    await this.post('/api/v1/namespaces', { metadata: { name } });
    await this.untilHolds(`/api/v1/namespaces/${name}/serviceaccounts/default`, () => true);
    return name;
  }
}

/** A value within an object. */
export function at(object: Json | undefined, ...path: (string | number)[]): Json | undefined {
  let value = object;
  for (const key of path) {
    value = typeof value === 'object' && value !== null ? (value as JsonObject)[key] : undefined;
  }
  return value;
}

/** The values of one key of a list's items. */
export const each = (list: Json | undefined, key: string): (Json | undefined)[] =>
  Array.isArray(list) ? list.map((item) => at(item, key)) : [];
