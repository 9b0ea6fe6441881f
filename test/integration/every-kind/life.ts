import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../pkg/api/schema.ts';
import { applyMergePatch } from '../../../pkg/apimachinery/patch/merge-patch.ts';
import type { Answer, ApiServerProcess } from '../api-server.ts';
import { until } from '../controllers/cluster.ts';
import { FORMS, type Form, JSON_FORM, PROTOBUF_FORM } from './forms.ts';
import { assertHolds } from './holds.ts';
import { CREATED_BY_PUT, type Sample, SHOWN_WHEN_DELETED, STATUS_KEEPS_LABELS, UPDATED_BY_VERSION } from './samples.ts';

export const NAMESPACE = 'default';
const LABEL = 'every-kind.example.com/life';
const WATCH_TIMEOUT_S = 120;
const AS = { object: 'PartialObjectMetadata', list: 'PartialObjectMetadataList', table: 'Table' };

/** A resource as discovery tells of it, with its subresources. */
export interface Resource {
  readonly groupVersion: string;
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly parts: Readonly<Record<string, readonly string[]>>;
  /** A definition made it: there is neither a protobuf form nor a strategic merge patch of it. */
  readonly custom: boolean;
}

interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly { manager: string; operation: string; subresource?: string }[];
}

export const metaOf = (object: JsonObject): Meta => object['metadata'] as unknown as Meta;

/** The base of the paths of one resource. */
export function collectionPath({ groupVersion, name, namespaced }: Resource, everywhere = false): string {
  const base = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
  return namespaced && !everywhere ? `${base}/namespaces/${NAMESPACE}/${name}` : `${base}/${name}`;
}

/** The life of objects of one resource: each verb it names, in each form, each answer judged. */
export class Life {
  readonly #server: ApiServerProcess;
  readonly #resource: Resource;
  readonly #sample: Sample;
  readonly #collection: string;
  readonly #forms: readonly Form[];
  /** Tells these objects from those of the same storage that another version shows. */
  readonly #mark: string;
  readonly #labelled: string;
  #count = 0;
  /** Names of the objects made so far. */
  readonly #made: string[] = [];

  constructor(server: ApiServerProcess, resource: Resource, sample: Sample) {
    this.#server = server;
    this.#resource = resource;
    this.#sample = sample;
    this.#collection = collectionPath(resource);
    this.#forms = resource.custom ? FORMS.filter((form) => form !== PROTOBUF_FORM) : FORMS;
    this.#mark = resource.groupVersion.replace(/[/.]/g, '-');
    this.#labelled = `labelSelector=${LABEL}=${this.#mark}`;
  }

  async run(): Promise<void> {
    const before = metaOf(await this.#expect(200, 'GET', this.#collection));
    for (const form of this.#forms) await this.#inForm(form);
    await this.#puts();
    await this.#patches();
    if (this.#resource.parts['status'] !== undefined) for (const form of this.#forms) await this.#status(form);
    if (this.#resource.parts['scale'] !== undefined) for (const form of this.#forms) await this.#scale(form);
    await this.#transformed();
    await this.#collectionDeleted();
    await this.#watched(before.resourceVersion);
  }

  /** Create, get, list, update and delete. */
  async #inForm(form: Form): Promise<void> {
    const object = this.#fresh();
    const { name } = metaOf(object);
    const path = `${this.#collection}/${name}`;
    const dry = await this.#expect(201, 'POST', `${this.#collection}?dryRun=All`, { form, body: object });
    assert.equal(metaOf(dry).name, name);
    await this.#expect(404, 'GET', path);

    const created = await this.#expect(201, 'POST', `${this.#collection}?fieldManager=maker`, { form, body: object });
    assert.equal(created['kind'], this.#resource.kind);
    assert.equal(created['apiVersion'], this.#resource.groupVersion);
    assertManagers(created, ['maker Update']);
    await this.#expect(409, 'POST', this.#collection, { form, body: object });
    const plain = await this.#settled(path);
    assert.deepEqual(await this.#expect(200, 'GET', path, { form }), plain, `GET in ${form.name}`);
    for (const everywhere of [false, true]) {
      const list = await this.#expect(200, 'GET', `${collectionPath(this.#resource, everywhere)}?${this.#labelled}`, {
        form,
      });
      const found = items(list).find((item) => metaOf(item).name === name);
      assert.deepEqual(metaOf(found ?? {}), metaOf(plain), `in the list, ${form.name}`);
      assert.ok(metaOf(list).resourceVersion, 'the list has a resourceVersion');
    }

    const changed = withLabel(plain, 'form', form.name);
    const dryUpdate = await this.#expect(200, 'PUT', `${path}?dryRun=All`, { form, body: changed });
    assert.equal(metaOf(dryUpdate).labels?.['form'], form.name);
    assert.deepEqual(await this.#expect(200, 'GET', path), plain, 'dryRun stores nothing');
    const updated = await this.#expect(200, 'PUT', `${path}?fieldManager=updater`, { form, body: changed });
    assert.equal(metaOf(updated).labels?.['form'], form.name);
    assert.equal(metaOf(updated).uid, metaOf(plain).uid);
    const moved = this.#sample.labelsMoveGeneration ? 1 : 0;
    assert.equal(metaOf(updated).generation ?? 0, (metaOf(plain).generation ?? 0) + moved, 'generation and labels');
    assert.ok(managers(updated).includes('updater Update'), managers(updated).join());
    await this.#expect(409, 'PUT', path, { form, body: changed });

    await this.#deletePrecisely(form, path, metaOf(updated));
    await this.#generatedName(form);
  }

  /** Refused for another object of that name, then done, in the form of `form`. */
  async #deletePrecisely(form: Form, path: string, { uid }: Meta): Promise<void> {
    const options = (preconditions: JsonObject, more: JsonObject = {}): JsonObject => ({
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      gracePeriodSeconds: 0,
      preconditions,
      ...more,
    });
    await this.#expect(409, 'DELETE', path, { form, body: options({ uid: 'another' }) });
    await this.#expect(409, 'DELETE', path, { form, body: options({ resourceVersion: '1' }) });
    await this.#expect(200, 'DELETE', path, { form, body: options({ uid }, { dryRun: ['All'] }) });
    const deleted = await this.#expect(200, 'DELETE', path, { form, body: options({ uid }) });
    const { kind } = this.#resource;
    assert.equal(deleted['kind'], SHOWN_WHEN_DELETED.has(kind) ? kind : 'Status');
    await this.#finish(path);
    await this.#expect(404, 'DELETE', path, { form });
  }

  async #generatedName(form: Form): Promise<void> {
    if (this.#sample.nameOf !== undefined) return;
    const { name: _, ...metadata } = this.#fresh()['metadata'] as JsonObject;
    const body = { ...this.#fresh(), metadata: { ...metadata, generateName: 'generated-' } };
    const created = await this.#expect(201, 'POST', this.#collection, { form, body });
    assert.match(metaOf(created).name, /^generated-[a-z0-9]{5}$/);
    this.#made.push(metaOf(created).name);
  }

  /** What PUT does with names and versions, and what moves the generation. */
  async #puts(): Promise<void> {
    const { kind } = this.#resource;
    const missing = this.#fresh();
    const { name } = metaOf(missing);
    const isCreated = CREATED_BY_PUT.has(kind);
    await this.#expect(isCreated ? 201 : 404, 'PUT', `${this.#collection}/${name}`, { body: missing });
    if (isCreated) this.#made.push(name);

    const path = await this.#make();
    const object = await this.#settled(path);
    const versionless = applyMergePatch(object, { metadata: { resourceVersion: null } });
    await this.#expect(UPDATED_BY_VERSION.has(kind) ? 422 : 200, 'PUT', path, { body: versionless });

    const before = metaOf(await this.#settled(path)).generation;
    const body = JSON.stringify(this.#sample.change ?? {});
    const headers = { 'content-type': 'application/merge-patch+json' };
    const { status, text } = await this.#server.send({ method: 'PATCH', path, headers, body });
    assert.ok(status === 200 || status === 422, text);
    if (status === 422 || before === undefined) return;
    assert.equal(metaOf(JSON.parse(text) as JsonObject).generation, before + 1, 'the change moves the generation');
  }

  async #patches(): Promise<void> {
    const path = await this.#make();
    const patched = async (type: string, body: Json, manager: string): Promise<JsonObject> => {
      const dry = await this.#patch(`${path}?dryRun=All`, type, body);
      assert.notEqual(metaOf(dry).resourceVersion, '');
      return this.#patch(`${path}?fieldManager=${manager}`, type, body);
    };
    const merged = await patched('merge-patch+json', { metadata: { labels: { merge: 'a' } } }, 'merger');
    assert.equal(metaOf(merged).labels?.['merge'], 'a');
    const tested = [
      { op: 'test', path: '/metadata/labels/merge', value: 'a' },
      { op: 'add', path: '/metadata/labels/json', value: 'b' },
    ];
    const jsonPatched = await patched('json-patch+json', tested, 'json-patcher');
    assert.equal(metaOf(jsonPatched).labels?.['json'], 'b');
    const strategic = { metadata: { labels: { merge: null, strategic: 'c' } } };
    const kindOfPatch = this.#resource.custom ? 'merge-patch+json' : 'strategic-merge-patch+json';
    const strategically = await patched(kindOfPatch, strategic, 'strategist');
    const { merge, json, strategic: third } = metaOf(strategically).labels ?? {};
    assert.deepEqual([merge, json, third], [undefined, 'b', 'c']);

    const { kind, groupVersion: apiVersion } = this.#resource;
    const { name } = metaOf(strategically);
    const applied = await this.#apply(200, `${path}?fieldManager=applier`, {
      apiVersion,
      kind,
      metadata: { name, labels: { applied: 'd' } },
    });
    assert.equal(metaOf(applied).labels?.['applied'], 'd');
    assert.equal(metaOf(applied).labels?.['strategic'], 'c');
    for (const manager of ['json-patcher Update', 'strategist Update', 'applier Apply']) {
      assert.ok(managers(applied).includes(manager), `${manager} in ${managers(applied).join()}`);
    }
    const again = await this.#apply(200, `${path}?fieldManager=applier`, { apiVersion, kind, metadata: { name } });
    assert.equal(metaOf(again).labels?.['applied'], undefined, 'what is no longer applied is gone');

    const fresh = this.#fresh();
    const created = await this.#apply(201, `${this.#collection}/${metaOf(fresh).name}?fieldManager=applier`, fresh);
    assertManagers(created, ['applier Apply']);
    this.#made.push(metaOf(fresh).name);
    const before = await this.#settled(`${this.#collection}/${metaOf(fresh).name}`);
    const same = await this.#apply(200, `${this.#collection}/${metaOf(fresh).name}?fieldManager=applier`, fresh);
    assert.equal(metaOf(same).resourceVersion, metaOf(before).resourceVersion, 'applied again: nothing is written');
  }

  /** A write of the status leaves the rest alone, and a write of the rest leaves the status alone. */
  async #status(form: Form): Promise<void> {
    const path = await this.#make();
    const { change = {}, status = {} } = this.#sample;
    assert.notDeepEqual(status, {}, 'there is a sample of the status');
    const before = await this.#settled(path);
    const { conditions: present = [] } = (before['status'] ?? {}) as { conditions?: Json[] };
    const { conditions } = status as { conditions?: Json[] };
    // What the server itself says of the object stays, or it would say it again.
    const all = conditions === undefined ? status : { ...status, conditions: [...present, ...conditions] };
    const both = withLabel(applyMergePatch(before, { ...change, status: all }), 'by-status', 'yes');
    assert.notDeepEqual(rest(both), rest(before), 'there is a sample of a change');

    const updated = await this.#expect(200, 'PUT', `${path}/status?fieldManager=status`, { form, body: both });
    assert.deepEqual(rest(updated), rest(before), 'PUT of the status');
    assertHolds(updated['status'], status);
    const label = STATUS_KEEPS_LABELS.has(this.#resource.kind) ? undefined : 'yes';
    assert.equal(metaOf(updated).labels?.['by-status'], label, 'the status and the labels');
    assert.equal(metaOf(updated).generation, metaOf(before).generation, 'the status does not move the generation');
    assert.ok(managers(updated).includes('status Update status'), managers(updated).join());
    assert.deepEqual(await this.#expect(200, 'GET', `${path}/status`, { form }), updated);

    const reset = applyMergePatch(updated, { status: null });
    const kept = await this.#expect(200, 'PUT', path, { form, body: reset });
    assert.deepEqual(kept['status'], updated['status'], 'PUT without a status');

    if (form !== JSON_FORM) return;
    const second = await this.#make();
    const untouched = await this.#settled(second);
    for (const type of this.#resource.custom
      ? ['merge-patch+json']
      : ['merge-patch+json', 'strategic-merge-patch+json']) {
      const patched = await this.#patch(`${second}/status`, type, { ...change, status });
      assert.deepEqual(rest(patched), rest(untouched), `${type} of the status`);
      assertHolds(patched['status'], status);
    }
    const { kind, groupVersion: apiVersion } = this.#resource;
    const { name } = metaOf(untouched);
    const third = await this.#make();
    const configuration = { apiVersion, kind, metadata: { name: third.slice(third.lastIndexOf('/') + 1) }, status };
    const applied = await this.#apply(200, `${third}/status?fieldManager=applier&force=true`, configuration);
    assertHolds(applied['status'], status);
    assert.ok(managers(applied).includes('applier Apply status'), managers(applied).join());
    await this.#expect(404, 'PUT', `${this.#collection}/not-there/status`, {
      form,
      body: { ...untouched, metadata: { name: 'not-there' } },
    });
    assert.ok(name);
  }

  async #scale(form: Form): Promise<void> {
    const path = `${await this.#make()}/scale`;
    const scale = await this.#expect(200, 'GET', path, { form });
    assert.equal(scale['kind'], 'Scale');
    assert.equal(scale['apiVersion'], 'autoscaling/v1');
    const replicasOf = (object: JsonObject): Json | undefined => (object['spec'] as JsonObject)['replicas'];
    const updated = await this.#expect(200, 'PUT', path, {
      form,
      body: applyMergePatch(scale, { spec: { replicas: 4 } }),
    });
    assert.equal(replicasOf(updated), 4);
    const patched = await this.#patch(`${path}?fieldManager=scaler`, 'merge-patch+json', { spec: { replicas: 5 } });
    assert.equal(replicasOf(patched), 5);
    const whole = await this.#expect(200, 'GET', path.slice(0, -'/scale'.length));
    assert.equal(replicasOf(whole), 5);
    assert.ok(managers(whole).includes('scaler Update scale'), managers(whole).join());
  }

  /** Tables and bare metadata. */
  async #transformed(): Promise<void> {
    const path = await this.#make();
    const object = await this.#settled(path);
    const { name } = metaOf(object);
    const list = `${this.#collection}?fieldSelector=metadata.name=${name}`;
    for (const target of [path, list]) {
      const table = await this.#expect(200, 'GET', target, {
        accept: `application/json;as=${AS.table};g=meta.k8s.io;v=v1`,
      });
      assert.equal(table['kind'], AS.table);
      const columns = table['columnDefinitions'] as unknown[];
      const rows = table['rows'] as { cells: unknown[]; object: JsonObject }[];
      assert.equal(rows.length, 1);
      assert.ok(rows[0]?.cells.includes(name), JSON.stringify(rows));
      assert.equal(rows[0]?.cells.length, columns.length);
      assert.equal(rows[0]?.object['kind'], AS.object);
    }
    for (const form of FORMS) {
      const accept = (kind: string): string => `${form.mediaType};as=${kind};g=meta.k8s.io;v=v1`;
      const bare = await this.#expect(200, 'GET', path, { form, accept: accept(AS.object) });
      assert.deepEqual(bare['metadata'], object['metadata'], form.name);
      assert.deepEqual(Object.keys(bare).sort(), ['apiVersion', 'kind', 'metadata']);
      const bares = await this.#expect(200, 'GET', list, { form, accept: accept(AS.list) });
      assert.deepEqual(
        items(bares).map((item) => item['metadata']),
        [object['metadata']],
        form.name,
      );
    }
  }

  async #collectionDeleted(): Promise<void> {
    const { verbs } = this.#resource;
    const doomed = `${this.#collection}?${this.#labelled}`;
    if (verbs.includes('deletecollection')) {
      const dry = await this.#expect(200, 'DELETE', `${doomed}&dryRun=All`);
      assert.equal(items(dry).length, this.#made.length);
      const deleted = await this.#expect(200, 'DELETE', `${doomed}&gracePeriodSeconds=0`);
      assert.equal(items(deleted).length, this.#made.length);
    } else {
      for (const name of this.#made) await this.#expect(200, 'DELETE', `${this.#collection}/${name}`);
    }
    for (const name of this.#made) await this.#finish(`${this.#collection}/${name}`);
    assert.deepEqual(items(await this.#expect(200, 'GET', doomed)), []);
  }

  /** What has happened since `revision`, as watches in each form that has them tell it. */
  async #watched(revision: string): Promise<void> {
    const query = `watch=true&${this.#labelled}&resourceVersion=${revision}&timeoutSeconds=${WATCH_TIMEOUT_S}`;
    let expected: string | undefined;
    for (const form of FORMS) {
      for (const as of [undefined, AS.object]) {
        const { events } = form;
        const accept = as === undefined ? form.mediaType : `${form.mediaType};as=${as};g=meta.k8s.io;v=v1`;
        const path = `${collectionPath(this.#resource, true)}?${query}`;
        if (events === undefined || (as === undefined && !this.#forms.includes(form))) {
          await this.#expect(406, 'GET', path, { form, accept });
          continue;
        }
        const over = (bytes: Buffer): boolean => {
          const deleted = new Set(
            events(bytes).flatMap(({ type, object }) => (type === 'DELETED' ? metaOf(object).name : [])),
          );
          return deleted.size >= this.#count;
        };
        const answer = await this.#server.send({ method: 'GET', path, headers: { accept }, isEnough: over });
        assert.equal(answer.status, 200, answer.text);
        const seen = events(answer.bytes);
        for (const { object } of seen) assert.equal(object['kind'], as ?? this.#resource.kind);
        const told = seen.map(({ type, object }) => `${type} ${metaOf(object).name} ${metaOf(object).resourceVersion}`);
        expected ??= told.join('\n');
        assert.equal(told.join('\n'), expected, `${form.name} ${as ?? ''}`);
        for (const type of ['ADDED', 'MODIFIED', 'DELETED'])
          assert.ok(
            told.some((line) => line.startsWith(type)),
            type,
          );
      }
    }
  }

  /** An object that is not stored yet. */
  #fresh(): JsonObject {
    const { groupVersion: apiVersion, kind, namespaced } = this.#resource;
    const n = this.#count + 1;
    const name = this.#sample.nameOf?.(n) ?? `${this.#mark}-${n}`;
    const metadata: JsonObject = {
      name,
      labels: { [LABEL]: this.#mark },
      ...(namespaced ? { namespace: NAMESPACE } : {}),
    };
    return { apiVersion, kind, metadata, ...structuredClone(this.#sample.make(n)) };
  }

  /** Stores an object and returns its path. */
  async #make(): Promise<string> {
    const body = this.#fresh();
    await this.#expect(201, 'POST', this.#collection, { body });
    this.#made.push(metaOf(body).name);
    return `${this.#collection}/${metaOf(body).name}`;
  }

  /** The object, once the server itself no longer writes to it: definitions become established. */
  async #settled(path: string): Promise<JsonObject> {
    const read = (): Promise<JsonObject> => this.#expect(200, 'GET', path);
    const { settledBy } = this.#sample;
    if (settledBy === undefined) return read();
    const hasSettled = ({ status }: JsonObject): boolean =>
      JSON.stringify(status ?? '').includes(`"type":"${settledBy}"`);
    return until(`${path} is ${settledBy}`, async () => {
      const object = await read();
      return hasSettled(object) ? object : undefined;
    });
  }

  /** Takes away what holds a deleted object; without controllers nobody else does. */
  async #finish(path: string): Promise<void> {
    const look = (): Promise<Answer> => this.#server.send({ method: 'GET', path });
    const { status, text } = await look();
    if (status === 404) return;
    const held = JSON.parse(text) as JsonObject;
    if (this.#resource.kind === 'CustomResourceDefinition') {
      await until(`${path} is gone`, async () => (await look()).status === 404 || undefined);
      return;
    }
    if (this.#resource.kind === 'Namespace') {
      await this.#expect(200, 'PUT', `${path}/finalize`, { body: applyMergePatch(held, { spec: { finalizers: [] } }) });
    } else {
      assert.ok(metaOf(held).finalizers?.length, `deleted, yet there: ${text}`);
      await this.#patch(path, 'merge-patch+json', { metadata: { finalizers: null } });
    }
    await this.#expect(404, 'GET', path);
  }

  #patch(path: string, type: string, body: Json): Promise<JsonObject> {
    return this.#expect(200, 'PATCH', path, { type: `application/${type}`, bytes: JSON.stringify(body) });
  }

  #apply(status: number, path: string, body: JsonObject): Promise<JsonObject> {
    return this.#expect(status, 'PATCH', path, { type: 'application/apply-patch+yaml', bytes: JSON.stringify(body) });
  }

  /** Sends a request and reads its answer, whose status is to be `status`. */
  async #expect(status: number, method: string, path: string, sent: Sent = {}): Promise<JsonObject> {
    const { form = JSON_FORM, body, type = form.mediaType, bytes, accept = form.mediaType } = sent;
    const given = bytes ?? (body === undefined ? undefined : form.write(body));
    if (method === 'POST' && status === 201 && !path.includes('dryRun')) this.#count += 1;
    if (status === 201 && (method === 'PATCH' || method === 'PUT')) this.#count += 1;
    const answer = await this.#server.send({
      method,
      path,
      headers: { accept, ...(given === undefined ? {} : { 'content-type': type }) },
      ...(given === undefined ? {} : { body: given }),
    });
    assert.equal(answer.status, status, `${method} ${path} in ${form.name}: ${answer.text}`);
    return status === 406 ? {} : this.#read(answer, form);
  }

  #read({ bytes, headers }: Answer, form: Form): JsonObject {
    assert.equal(String(headers['content-type']).split(';')[0], form.mediaType);
    return form.read(bytes);
  }
}

interface Sent {
  readonly form?: Form;
  readonly body?: JsonObject;
  readonly type?: string;
  readonly bytes?: string;
  readonly accept?: string;
}

const items = (list: JsonObject): JsonObject[] => (list['items'] ?? []) as JsonObject[];

const managers = (object: JsonObject): string[] =>
  (metaOf(object).managedFields ?? []).map(({ manager, operation, subresource = '' }) =>
    `${manager} ${operation} ${subresource}`.trim(),
  );

function assertManagers(object: JsonObject, expected: readonly string[]): void {
  assert.deepEqual(managers(object), expected);
}

/** Everything but metadata and status. */
function rest(object: JsonObject): JsonObject {
  const { metadata: _, status: __, ...others } = object;
  return others;
}

function withLabel(object: JsonObject, key: string, value: string): JsonObject {
  return applyMergePatch(object, { metadata: { labels: { [key]: value } } });
}
