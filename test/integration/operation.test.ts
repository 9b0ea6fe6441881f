import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject, verify as verifySignature } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiServerProcess } from './api-server.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const JSON_HEADERS = { 'content-type': 'application/json' };
const WAIT_MS = 60_000;

interface Status {
  readonly kind: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly code: number;
}

/** A request whose body is sent bit by bit, or never to its end. */
class SlowRequest {
  readonly #sent: ClientRequest;
  readonly #answer: Promise<IncomingMessage>;

  constructor(server: ApiServerProcess, method: string, path: string, token?: string) {
    const { ca, cert, key } = server.tls;
    const { hostname, port } = new URL(server.url);
    const who = token === undefined ? { cert: readFileSync(cert), key: readFileSync(key) } : {};
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const headers = { ...JSON_HEADERS, ...authorization };
    this.#sent = request({ hostname, port, method, path, headers, ca: readFileSync(ca), agent: false, ...who });
    this.#answer = new Promise((resolve, reject) => {
      this.#sent.once('response', resolve);
      this.#sent.once('error', reject);
    });
    // Whoever looks at the answer hears of its failure.
    this.#answer.catch(() => {});
  }

  write(text: string): void {
    this.#sent.write(text);
  }

  end(text = ''): void {
    this.#sent.end(text);
  }

  async answer(): Promise<{
    readonly status: number;
    readonly text: string;
    readonly headers: IncomingMessage['headers'];
  }> {
    const response = await this.#answer;
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString(), headers: response.headers };
  }

  /** Waits for the head of the answer only. */
  async head(): Promise<void> {
    await this.#answer;
  }

  destroy(): void {
    this.#sent.destroy();
  }
}

const configMap = (name: string): string => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

describe('operating the API server', () => {
  let server: ApiServerProcess;
  before(async () => {
    const args = ['max-requests-inflight=10', 'max-mutating-requests-inflight=2', 'shutdown-delay-duration=10s'];
    server = await ApiServerProcess.start({ flags: args.map((arg) => `--kube-apiserver-arg=${arg}`) });
  });
  after(() => server.stop());

  const get = (path: string) => server.send({ method: 'GET', path });

  async function metric(name: RegExp): Promise<string> {
    const { text } = await get('/metrics');
    return text.split('\n').find((line) => name.test(line)) ?? '';
  }

  test('health: every check by itself, all of them with ?verbose, some left out', async () => {
    for (const probe of ['livez', 'readyz', 'healthz']) {
      const { text, headers, status } = await get(`/${probe}?verbose`);
      assert.equal(status, 200);
      assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
      const names = [...text.matchAll(/^\[\+\](\S+) ok$/gm)].map(([, name]) => name);
      for (const name of ['ping', 'log', 'etcd', 'poststarthook/rbac/bootstrap-roles'])
        assert.ok(names.includes(name), text);
      assert.equal(names.includes('shutdown'), probe === 'readyz');
      assert.ok(text.endsWith(`${probe} check passed\n`), text);
      for (const name of names) assert.equal((await get(`/${probe}/${name}`)).text, 'ok', name);
      assert.equal((await get(`/${probe}/none`)).status, 404);
      const excluded = (await get(`/${probe}?verbose&exclude=etcd&exclude=none`)).text;
      assert.match(excluded, /^\[\+\]etcd excluded: ok$/m);
      assert.match(excluded, /^warn: some health checks cannot be excluded: no matches for "none"$/m);
    }
    const { paths } = JSON.parse((await get('/')).text) as { paths: string[] };
    for (const path of ['/readyz/shutdown', '/livez/etcd', '/healthz/ping']) assert.ok(paths.includes(path), path);
  });

  test('API servers behind this one find out whom to trust', async () => {
    const path = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication';
    const { data } = JSON.parse((await get(path)).text) as { data: Record<string, string> };
    assert.match(data['client-ca-file'] ?? '', /BEGIN CERTIFICATE/);
    assert.match(data['requestheader-client-ca-file'] ?? '', /BEGIN CERTIFICATE/);
    assert.notEqual(data['requestheader-client-ca-file'], data['client-ca-file']);
    assert.equal(data['requestheader-allowed-names'], '["system:auth-proxy"]');
  });

  test('a request that takes too long is answered with 504 and a Status', async () => {
    const slow = new SlowRequest(server, 'POST', `${CONFIG_MAPS}?timeout=1s`);
    slow.write('{"apiVersion":');
    const { status, text } = await slow.answer();
    assert.equal(status, 504, text);
    const { kind, reason, message, code } = JSON.parse(text) as Status;
    assert.deepEqual(
      { kind, reason, message, code },
      {
        kind: 'Status',
        reason: 'Timeout',
        message: 'Timeout: request did not complete within the allotted timeout',
        code: 504,
      },
    );
    assert.match(await metric(/^apiserver_request_terminations_total\{code="504"/), /verb="POST".* 1$/);
    slow.destroy();
    for (const [timeout, words] of [
      ['x', 'invalid duration'],
      ['10', 'missing unit in duration'],
      ['5y', 'unknown unit'],
    ]) {
      const refused = await get(`${CONFIG_MAPS}?timeout=${timeout}`);
      assert.equal(refused.status, 400);
      assert.ok(
        (JSON.parse(refused.text) as Status).message.startsWith(
          `invalid timeout specified in the request URL - time: ${words}`,
        ),
      );
    }
    assert.equal((await get(`${CONFIG_MAPS}?timeout=0s`)).status, 200);
    const watch = await get(`${CONFIG_MAPS}?watch=1&timeout=1ms&timeoutSeconds=1`);
    assert.equal(watch.status, 200, 'watches have no such limit');
  });

  test('too many requests at once are answered with 429, those of long duration left out', async () => {
    const made = await server.send({
      method: 'POST',
      path: '/api/v1/namespaces/default/serviceaccounts',
      body: JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'busy' } }),
      headers: JSON_HEADERS,
    });
    assert.equal(made.status, 201, made.text);
    await server.send({
      method: 'POST',
      path: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
      body: JSON.stringify({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'busy' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ kind: 'ServiceAccount', name: 'busy', namespace: 'default' }],
      }),
      headers: JSON_HEADERS,
    });
    const token = await serviceAccountToken('busy');
    const watches = Array.from({ length: 12 }, () => new SlowRequest(server, 'GET', `${CONFIG_MAPS}?watch=1`, token));
    for (const watch of watches) watch.end();
    for (const watch of watches) await watch.head();
    const writes = ['one', 'two'].map((name) => {
      const write = new SlowRequest(server, 'POST', CONFIG_MAPS, token);
      write.write(configMap(name).slice(0, 10));
      return { name, write };
    });
    await until(async () =>
      (await metric(/^apiserver_current_inflight_requests\{request_kind="mutating"/)).endsWith(' 2'),
    );
    const third = new SlowRequest(server, 'POST', CONFIG_MAPS, token);
    third.end(configMap('three'));
    const refused = await third.answer();
    assert.equal(refused.status, 429, refused.text);
    assert.equal(refused.headers['retry-after'], '1');
    assert.equal(refused.text, 'Too many requests, please try again later.\n');
    const byAdmin = await server.send({
      method: 'POST',
      path: CONFIG_MAPS,
      body: configMap('four'),
      headers: JSON_HEADERS,
    });
    assert.equal(byAdmin.status, 201, 'system:masters is exempt');
    for (const { name, write } of writes) {
      write.end(configMap(name).slice(10));
      assert.equal((await write.answer()).status, 201);
    }
    assert.match(await metric(/^apiserver_dropped_requests_total\{request_kind="mutating"/), / 1$/);
    assert.match(await metric(/^apiserver_longrunning_requests\{.*resource="configmaps".*verb="WATCH"/), / 12$/);
    for (const watch of watches) watch.destroy();
    await until(async () =>
      (await metric(/^apiserver_longrunning_requests\{.*resource="configmaps".*verb="WATCH"/)).endsWith(' 0'),
    );
  });

  async function serviceAccountToken(name: string): Promise<string> {
    const path = `/api/v1/namespaces/default/serviceaccounts/${name}/token`;
    const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} });
    const { text } = await server.send({ method: 'POST', path, body, headers: JSON_HEADERS });
    return (JSON.parse(text) as { status: { token: string } }).status.token;
  }

  test('a client that is slow to read a large list can ask for other things on the same connection', async () => {
    for (let part = 0; part < 15; part++) {
      const metadata = { name: `large-${part}`, namespace: 'kube-public' };
      const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'x'.repeat(900_000) } });
      const path = '/api/v1/namespaces/kube-public/configmaps';
      assert.equal((await server.send({ method: 'POST', path, body, headers: JSON_HEADERS })).status, 201);
    }
    const { ca, cert, key } = server.tls;
    const session = connect(server.url, { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) });
    try {
      const list = session.request({ ':path': '/api/v1/namespaces/kube-public/configmaps' });
      await once(list, 'response');
      for (let more = 0; more < 5; more++) {
        const other = session.request({ ':path': '/livez' });
        const [head] = (await once(other, 'response')) as [{ ':status'?: number }];
        assert.equal(head[':status'], 200);
        other.close();
        await delay(100);
      }
    } finally {
      session.destroy();
    }
    await server.send({ method: 'DELETE', path: '/api/v1/namespaces/kube-public/configmaps' });
  });

  test("metrics have upstream's names", async () => {
    await server.send({ method: 'GET', path: `${CONFIG_MAPS}?watch=1&timeoutSeconds=1` });
    const { text, headers } = await get('/metrics');
    assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
    for (const line of [
      /^apiserver_request_total\{code="201",component="apiserver",dry_run="",group="",resource="configmaps",scope="namespace",subresource="",verb="POST",version="v1"\} \d+$/m,
      /^apiserver_request_duration_seconds_bucket\{component="apiserver",.*verb="LIST".*,le="0\.005"\} \d+$/m,
      /^apiserver_request_sli_duration_seconds_bucket\{component="apiserver",.*le="0\.05"\} \d+$/m,
      /^apiserver_tls_handshake_errors_total \d+$/m,
      /^apiserver_response_sizes_sum\{.*resource="configmaps".*\} \d+$/m,
      /^apiserver_current_inflight_requests\{request_kind="readOnly"\} 1$/m,
      /^apiserver_longrunning_requests\{component="apiserver",group="",resource="configmaps",scope="namespace",subresource="",verb="WATCH",version="v1"\} 0$/m,
      /^apiserver_watch_events_total\{group="",resource="configmaps",version="v1"\} [1-9]/m,
      /^apiserver_watch_events_sizes_bucket\{group="",resource="configmaps",version="v1",le="1024"\} [1-9]/m,
      /^etcd_request_duration_seconds_count\{group="",operation="create",resource="configmaps"\} [1-9]/m,
      /^etcd_requests_total\{group="",operation="create",resource="configmaps"\} [1-9]/m,
      /^apiserver_storage_objects\{resource="namespaces"\} 4$/m,
      /^apiserver_resource_objects\{group="",resource="namespaces"\} 4$/m,
      /^apiserver_storage_size_bytes\{storage_cluster_id="etcd-0"\} [1-9]\d{4,}$/m,
      /^apiserver_audit_event_total 0$/m,
      /^apiserver_dropped_requests_total\{request_kind="readOnly"\} 0$/m,
      /^process_(cpu_seconds_total|open_fds|max_fds|resident_memory_bytes|virtual_memory_bytes|start_time_seconds) [1-9]/m,
      /^kubernetes_build_info\{.*git_version="v1\.36/m,
    ]) {
      assert.match(text, line);
    }
    for (const name of new Set(text.match(/^[a-z_]+(?=[{ ])/gm))) {
      const family = name.replace(/_(bucket|sum|count)$/, '');
      assert.ok(text.includes(`# TYPE ${family} `) || text.includes(`# TYPE ${name} `), name);
    }
  });

  test('OIDC: tokens are proved by the keys that discovery leads to', async () => {
    const discovery = await get('/.well-known/openid-configuration');
    assert.equal(discovery.headers['content-type'], 'application/json');
    assert.equal(discovery.headers['cache-control'], 'public, max-age=3600');
    const { issuer, jwks_uri } = JSON.parse(discovery.text) as { issuer: string; jwks_uri: string };
    const { pathname } = new URL(jwks_uri);
    assert.equal(pathname, '/openid/v1/jwks');
    const keySet = await get(pathname);
    assert.equal(keySet.headers['content-type'], 'application/jwk-set+json');
    const { keys } = JSON.parse(keySet.text) as { keys: { kid: string; kty: string; alg: string; use: string }[] };
    const [header = '', claims = '', signature = ''] = (await serviceAccountToken('busy')).split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const jwk = keys.find((key) => key.kid === kid);
    assert.ok(jwk !== undefined && jwk.use === 'sig', keySet.text);
    const key: KeyObject = createPublicKey({ key: jwk as never, format: 'jwk' });
    const data = Buffer.from(`${header}.${claims}`);
    const encoding = jwk.kty === 'EC' ? { key, dsaEncoding: 'ieee-p1363' as const } : { key };
    assert.ok(verifySignature('sha256', data, encoding, Buffer.from(signature, 'base64url')));
    assert.equal((JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iss: string }).iss, issuer);
  });

  test('asked to end: /readyz fails first, what is under way is finished, watches end, then the process', async () => {
    const watch = new SlowRequest(server, 'GET', `${CONFIG_MAPS}?watch=1`);
    watch.end();
    await watch.head();
    const write = new SlowRequest(server, 'POST', CONFIG_MAPS);
    write.write(configMap('last').slice(0, 10));
    await until(async () =>
      (await metric(/^apiserver_current_inflight_requests\{request_kind="mutating"/)).endsWith(' 1'),
    );
    server.askToEnd();
    await until(async () => (await get('/readyz')).status === 500);
    const ready = await get('/readyz');
    assert.match(ready.text, /^\[-\]shutdown failed: reason withheld$/m);
    assert.equal((await get('/readyz/shutdown')).text, 'internal server error: process is shutting down\n');
    assert.equal((await get('/livez')).status, 200);
    assert.equal((await get(CONFIG_MAPS)).status, 200, 'requests are still served');
    const ended = await watch.answer();
    assert.match(ended.text, /"name":"one"/);
    write.end(configMap('last').slice(10));
    const answer = await write.answer();
    assert.equal(answer.status, 201, answer.text);
    assert.equal(await server.ended(), 0);
    await server.restart();
    assert.equal((await get(`${CONFIG_MAPS}/last`)).status, 200);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `not within ${WAIT_MS / 1000} s: ${condition.toString()}`);
    await delay(20);
  }
}
