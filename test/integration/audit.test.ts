import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiServerProcess } from './api-server.ts';

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: []
rules:
- {level: None, nonResourceURLs: [/readyz]}
- {level: RequestResponse, omitManagedFields: true, namespaces: [default], resources: [{group: "", resources: [configmaps]}]}
- {level: Request, omitStages: [RequestReceived], resources: [{group: apps}]}
- {level: Metadata}
`;

interface Event {
  readonly kind: string;
  readonly apiVersion: string;
  readonly level: string;
  readonly auditID: string;
  readonly stage: string;
  readonly requestURI: string;
  readonly verb: string;
  readonly user: { readonly username?: string; readonly groups?: readonly string[] };
  readonly impersonatedUser?: { readonly username: string };
  readonly sourceIPs: readonly string[];
  readonly userAgent?: string;
  readonly objectRef?: Readonly<Record<string, string>>;
  readonly responseStatus?: {
    readonly metadata: object;
    readonly code: number;
    readonly status?: string;
    readonly reason?: string;
    readonly message?: string;
  };
  readonly requestObject?: { readonly kind: string; readonly data?: object };
  readonly responseObject?: { readonly kind: string; readonly metadata: Readonly<Record<string, unknown>> };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

describe('audit log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-audit-'));
  const file = join(folder, 'log', 'audit.log');
  let server: ApiServerProcess;

  before(async () => {
    writeFileSync(join(folder, 'policy.yaml'), POLICY);
    const args = [`audit-policy-file=${join(folder, 'policy.yaml')}`, `audit-log-path=${file}`];
    server = await ApiServerProcess.start({ flags: args.map((arg) => `--kube-apiserver-arg=${arg}`) });
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  /** The events of the request with this id, once the last of them is there. */
  async function eventsOf(id: unknown, last = 'ResponseComplete'): Promise<Event[]> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
      const events = lines.map((line) => JSON.parse(line) as Event).filter(({ auditID }) => auditID === id);
      if (events.some(({ stage }) => stage === last)) return events;
      assert.ok(Date.now() < deadline, `${last} of ${String(id)}: ${JSON.stringify(events)}`);
      await delay(50);
    }
  }

  const json = { 'content-type': 'application/json', 'user-agent': 'tester/1' };
  const path = '/api/v1/namespaces/default/configmaps';

  test('a write with its objects, in the form of upstream', async () => {
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: 'y' } });
    const answer = await server.send({ method: 'POST', path: `${path}?fieldManager=me`, body, headers: json });
    assert.equal(answer.status, 201, answer.text);
    const [received, complete, ...more] = await eventsOf(answer.headers['audit-id']);
    assert.deepEqual(more, []);
    assert.equal(received?.stage, 'RequestReceived');
    assert.equal(received.responseStatus, undefined);
    assert.deepEqual(Object.keys(complete ?? {}), [
      'kind',
      'apiVersion',
      'level',
      'auditID',
      'stage',
      'requestURI',
      'verb',
      'user',
      'sourceIPs',
      'userAgent',
      'objectRef',
      'responseStatus',
      'requestObject',
      'responseObject',
      'requestReceivedTimestamp',
      'stageTimestamp',
      'annotations',
    ]);
    assert.equal(complete?.kind, 'Event');
    assert.equal(complete.apiVersion, 'audit.k8s.io/v1');
    assert.equal(complete.level, 'RequestResponse');
    assert.equal(complete.requestURI, `${path}?fieldManager=me`);
    assert.equal(complete.verb, 'create');
    assert.equal(complete.user.username, 'admin');
    assert.deepEqual(complete.user.groups, ['system:masters', 'system:authenticated']);
    assert.deepEqual(complete.sourceIPs, ['127.0.0.1']);
    assert.equal(complete.userAgent, 'tester/1');
    assert.deepEqual(complete.objectRef, { resource: 'configmaps', namespace: 'default', name: 'a', apiVersion: 'v1' });
    assert.deepEqual(complete.responseStatus, { metadata: {}, code: 201 });
    assert.deepEqual(complete.requestObject?.data, { x: 'y' });
    assert.equal(complete.responseObject?.kind, 'ConfigMap');
    assert.ok(typeof complete.responseObject.metadata['uid'] === 'string');
    assert.equal(complete.responseObject.metadata['managedFields'], undefined);
    assert.match(complete.stageTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.equal(complete.annotations?.['authorization.k8s.io/decision'], 'allow');
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('a refusal carries its Status; who impersonates is named beside whom', async () => {
    const headers = { 'impersonate-user': 'bob', 'audit-id': 'my-own-id' };
    const answer = await server.send({ method: 'GET', path: '/apis/apps/v1/namespaces/x/deployments/d', headers });
    assert.equal(answer.status, 403);
    assert.equal(answer.headers['audit-id'], 'my-own-id');
    const events = await eventsOf('my-own-id');
    assert.equal(events.length, 1, 'the rule leaves RequestReceived out');
    const [event] = events;
    assert.equal(event?.level, 'Request');
    assert.equal(event.user.username, 'admin');
    assert.equal(event.impersonatedUser?.username, 'bob');
    assert.equal(event.responseStatus?.reason, 'Forbidden');
    assert.equal(event.responseStatus.code, 403);
    assert.equal(event.annotations?.['authorization.k8s.io/decision'], 'forbid');
    assert.equal(event.responseObject, undefined);
    assert.deepEqual(event.objectRef, {
      resource: 'deployments',
      namespace: 'x',
      name: 'd',
      apiGroup: 'apps',
      apiVersion: 'v1',
    });
  });

  test('a watch has its beginning and its end, a patch its body', async () => {
    const watch = await server.send({ method: 'GET', path: `${path}?watch=1&timeoutSeconds=1` });
    const stages = (await eventsOf(watch.headers['audit-id'])).map(({ stage }) => stage);
    assert.deepEqual(stages, ['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
    const body = '{"data":{"x":"z"}}';
    const merge = { 'content-type': 'application/merge-patch+json' };
    const patched = await server.send({ method: 'PATCH', path: `${path}/a`, body, headers: merge });
    const event = (await eventsOf(patched.headers['audit-id'])).at(-1);
    assert.equal(event?.verb, 'patch');
    assert.deepEqual(event.requestObject, { data: { x: 'z' } });
  });

  test('a request of somebody unknown, and what the policy leaves out', async () => {
    const { headers, status } = await server.send({
      method: 'GET',
      path: '/version',
      headers: { authorization: 'Bearer x' },
      anonymous: true,
    });
    assert.equal(status, 401);
    const [event, ...more] = await eventsOf(headers['audit-id'], 'ResponseStarted');
    assert.deepEqual(more, []);
    assert.deepEqual(event?.user, {});
    assert.equal(event.responseStatus?.code, 401);
    assert.equal(event.responseStatus.reason, 'Unauthorized');
    const ready = await server.send({ method: 'GET', path: '/readyz' });
    const after = await server.send({ method: 'GET', path: '/version' });
    assert.equal((await eventsOf(after.headers['audit-id'])).at(-1)?.objectRef, undefined);
    assert.ok(!readFileSync(file, 'utf8').includes(String(ready.headers['audit-id'])));
  });

  test('writes of components within the server are there, too, and all of it is counted', async () => {
    const text = readFileSync(file, 'utf8');
    assert.match(text, /"user":\{"username":"system:apiserver"/);
    const metrics = (await server.send({ method: 'GET', path: '/metrics' })).text;
    assert.match(metrics, /^apiserver_audit_event_total [1-9]\d*$/m);
    assert.match(metrics, /^apiserver_audit_level_total\{level="RequestResponse"\} [1-9]/m);
    assert.match(metrics, /^apiserver_audit_error_total\{plugin="log"\} 0$/m);
  });
});
