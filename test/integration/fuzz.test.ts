import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { type CampaignResult, runCampaign } from '../fuzz/campaign.ts';
import { Random } from '../fuzz/random.ts';
import { ApiServerProcess } from './api-server.ts';

const SEED = 20_260_901;
const REQUESTS = 5_200;

/** Requests from a seeded generator; the long form is `npm run test:fuzz`. */
describe('fuzz', () => {
  let result: CampaignResult;
  before(async () => {
    result = await runCampaign({ seed: SEED, requests: REQUESTS });
  });

  test(`${REQUESTS} mutated requests: no 5xx, no crash, no hang, no growth, nothing stored by a refused one`, () => {
    assert.deepEqual(result.problems, []);
    assert.equal(result.sent, REQUESTS);
  });

  test('they are of every kind, and answered in every way', () => {
    const shown = JSON.stringify({ kinds: result.kinds, codes: result.codes });
    assert.equal(Object.keys(result.kinds).length, 9, shown);
    for (const code of [200, 201, 400, 401, 403, 404, 405, 406, 409, 415, 422]) {
      assert.ok((result.codes[code] ?? 0) > 0, `${code}: ${shown}`);
    }
  });
});

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const HEAD = '"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad"}';

describe('bodies made to do harm', () => {
  let server: ApiServerProcess;
  before(async () => {
    server = await ApiServerProcess.start();
  });
  after(() => server.stop());

  /** Sends a body that is refused with the code; nothing is stored, and the server goes on answering. */
  async function refused(body: string | Buffer, code: number, type = 'application/json', path = CONFIG_MAPS) {
    const method = type.includes('patch') ? 'PATCH' : 'POST';
    const before = await revision();
    const answer = await server.send({ method, path, body, headers: { 'content-type': type } });
    assert.equal(answer.status, code, answer.text.slice(0, 500));
    assert.equal((JSON.parse(answer.text) as { kind: string }).kind, 'Status');
    assert.equal(await revision(), before, 'nothing was stored');
    assert.equal((await server.send({ method: 'GET', path: '/livez' })).text, 'ok');
    return answer.text;
  }

  async function revision(): Promise<string> {
    const { text } = await server.send({ method: 'GET', path: CONFIG_MAPS });
    return (JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
  }

  test('YAML bombs: aliases that multiply, aliases of themselves, merges', async () => {
    const levels = 'bcdefghijkl'.split('');
    const bomb = (open: string, close: string): string =>
      [
        'a: &a [x]',
        ...levels.map((to, at) => `${to}: &${to} ${open}${`*${'abcdefghijk'[at]},`.repeat(9)}${close}`),
      ].join('\n');
    await refused(bomb('[', ']'), 400, 'application/yaml');
    await refused(
      `${bomb('[', ']')}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\n`,
      400,
      'application/yaml',
    );
    await refused(
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: &a {x: *a}\n',
      400,
      'application/yaml',
    );
    const size = 3 * 2 ** 20 - 1000;
    for (const piece of ['a,', '[', '*a,'])
      await refused(`[${piece.repeat(size / piece.length)}`, 400, 'application/yaml');
    for (const piece of ['a: b\n', '- -\n', '\n', '---\n', '#\n']) {
      await refused(piece.repeat(size / piece.length), 400, 'application/yaml');
    }
    const merges = ['a: &a {x: y}', ...levels.map((to, at) => `${to}: &${to} {<<: *${'abcdefghijk'[at]}}`)].join('\n');
    await refused(merges, 400, 'application/yaml');
    await refused(bomb('[', ']'), 400, 'application/apply-patch+yaml', `${CONFIG_MAPS}/bad?fieldManager=x`);
  });

  test('deep nesting: JSON, YAML, protobuf and patches', async () => {
    const lists = `{${HEAD},"data":${'['.repeat(500_000)}${']'.repeat(500_000)}}`;
    const objects = `{${HEAD},"data":${'{"a":'.repeat(300_000)}1${'}'.repeat(300_000)}}`;
    for (const body of [lists, objects, lists.slice(0, 400_000), objects.slice(0, 900_000)]) await refused(body, 400);
    await refused(lists, 400, 'application/yaml');
    await refused(`a: ${'['.repeat(200_000)}`, 400, 'application/yaml');
    await refused(
      `${Array.from({ length: 1700 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')}\n`,
      400,
      'application/yaml',
    );
    // Each level is a message (field 1) that holds the rest.
    let message = Buffer.from('x');
    for (let depth = 0; depth < 5_000; depth++) {
      const length = message.length;
      message = Buffer.concat([Buffer.from([0x0a, (length & 0x7f) | 0x80, (length >> 7) & 0x7f]), message]);
    }
    await refused(Buffer.concat([Buffer.from('k8s\u0000'), message]), 400, 'application/vnd.kubernetes.protobuf');
    const there = `${CONFIG_MAPS}/kube-root-ca.crt`;
    await server.send({ method: 'POST', path: CONFIG_MAPS, body: `{${HEAD.replace('bad', 'kube-root-ca.crt')}}` });
    for (const type of ['application/merge-patch+json', 'application/strategic-merge-patch+json']) {
      await refused(objects, 400, type, there);
    }
    await refused(lists, 400, 'application/json-patch+json', there);
  });

  test('a custom resource may hold any value, but no deeper than it can be read again', async () => {
    const name = 'deeps.fuzz.example.com';
    const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name },
      spec: {
        group: 'fuzz.example.com',
        scope: 'Cluster',
        names: { plural: 'deeps', kind: 'Deep' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: anything } }],
      },
    };
    const made = await server.send({
      method: 'POST',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      body: JSON.stringify(definition),
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(made.status, 201, made.text);
    const path = '/apis/fuzz.example.com/v1/deeps';
    const deadline = Date.now() + 60_000;
    while ((await server.send({ method: 'GET', path })).status !== 200) assert.ok(Date.now() < deadline, 'established');
    for (const depth of [100, 1_000, 3_000, 9_000, 11_000]) {
      const nested = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
      const body = `{"apiVersion":"fuzz.example.com/v1","kind":"Deep","metadata":{"name":"deep"},"x":${nested}}`;
      const answer = await server.send({ method: 'POST', path, body, headers: { 'content-type': 'application/json' } });
      assert.ok(
        answer.status === 201 || answer.status === 400,
        `${depth}: ${answer.status} ${answer.text.slice(0, 300)}`,
      );
      if (depth <= 100) assert.equal(answer.status, 201);
      if (answer.status !== 201) continue;
      for (const accept of ['application/json', 'application/yaml', 'application/json;as=Table;v=v1;g=meta.k8s.io']) {
        const read = await server.send({ method: 'GET', path: `${path}/deep`, headers: { accept } });
        assert.equal(read.status, 200, `${depth} as ${accept}: ${read.text.slice(0, 300)}`);
      }
      const merge = {
        method: 'PATCH',
        path: `${path}/deep`,
        headers: { 'content-type': 'application/merge-patch+json' },
      };
      const patched = await server.send({ ...merge, body: `{"y":${nested}}` });
      assert.ok(patched.status === 200 || patched.status === 400, `${depth}: ${patched.text.slice(0, 300)}`);
      assert.equal((await server.send({ method: 'DELETE', path: `${path}/deep` })).status, 200);
    }
  });

  test('huge numbers', async () => {
    const service = (port: string): string =>
      `{"apiVersion":"v1","kind":"Service","metadata":{"name":"bad"},"spec":{"ports":[{"port":${port}}]}}`;
    const services = '/api/v1/namespaces/default/services';
    for (const port of [
      '1e400',
      '-1e400',
      '9'.repeat(400),
      '9223372036854775808',
      '1.5',
      '-9223372036854775809',
      '1e19',
    ]) {
      await refused(service(port), 400, 'application/json', services);
      await refused(service(port), 400, 'application/yaml', services);
    }
    await refused(service('2147483647'), 422, 'application/json', services);
    const claim = (size: string): string =>
      `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"bad"},"spec":{"accessModes":["x"],"resources":{"requests":{"storage":"${size}"}}}}`;
    for (const size of ['1e999999999', '9'.repeat(5000), '1Zi', '-']) {
      const path = '/api/v1/namespaces/default/persistentvolumeclaims';
      const answer = await server.send({
        method: 'POST',
        path,
        body: claim(size),
        headers: { 'content-type': 'application/json' },
      });
      assert.ok([400, 422].includes(answer.status), `${size.slice(0, 20)}: ${answer.text.slice(0, 300)}`);
    }
  });

  test('duplicate keys are refused when the client asks for strictness, at any depth', async () => {
    const strict = `${CONFIG_MAPS}?fieldValidation=Strict`;
    const data = `{${HEAD},"data":{"a":"1","a":"2"}}`;
    assert.match(await refused(data, 400, 'application/json', strict), /duplicate field/);
    assert.match(await refused(`{${HEAD},"kind":"ConfigMap"}`, 400, 'application/json', strict), /duplicate field/);
    assert.match(
      await refused(`{${HEAD},"data":{"__proto__":"1","__proto__":"2"}}`, 400, 'application/json', strict),
      /duplicate field/,
    );
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata:\n  a: b\n  a: c\n';
    await refused(yaml, 400, 'application/yaml', strict);
    const warned = await server.send({
      method: 'POST',
      path: `${CONFIG_MAPS}?dryRun=All`,
      body: data,
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(warned.status, 201);
    assert.match(String(warned.headers['warning']), /duplicate field/);
    assert.equal((JSON.parse(warned.text) as { data: { a: string } }).data.a, '2');
  });

  test('invalid UTF-8 in bodies, names and paths', async () => {
    const cut = (text: string): Buffer => Buffer.from(text.replace('?', '\u00ff'), 'latin1');
    await refused(Buffer.from([0xff, 0xfe, 0x7b, 0x7d]), 400);
    await refused(cut('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad?"}}'), 422);
    await refused(cut('{"apiVersion":"v1","kind":"Conf?igMap","metadata":{"name":"bad"}}'), 400);
    await refused(cut('a: ?\n'), 400, 'application/yaml');
    await refused(
      Buffer.concat([Buffer.from('k8s\u0000'), Buffer.from([0x0a, 4, 0xc3, 0x28, 0xff, 0xfe])]),
      400,
      'application/vnd.kubernetes.protobuf',
    );
    for (const path of [`${CONFIG_MAPS}/%ff`, `${CONFIG_MAPS}/%c3%28`, `${CONFIG_MAPS}?labelSelector=%ff`, '/%ff%fe']) {
      const { status, text } = await server.send({ method: 'GET', path });
      assert.ok(status >= 400 && status < 500, `${path}: ${status} ${text.slice(0, 200)}`);
    }
  });

  test('bodies of 3 MB and more, of known and of unknown length', async () => {
    const sized = (bytes: number): string => `{${HEAD},"data":{"a":"${'x'.repeat(bytes)}"}}`;
    await refused(sized(3 * 2 ** 20 - 200), 422);
    await refused(sized(3 * 2 ** 20), 413);
    await refused(sized(20 * 2 ** 20), 413);
    await refused('x'.repeat(3 * 2 ** 20 + 1), 413, 'application/yaml');
    await refused(' '.repeat(3 * 2 ** 20 + 1), 413, 'application/merge-patch+json', `${CONFIG_MAPS}/kube-root-ca.crt`);
    const many = `{${HEAD},"data":{${Array.from({ length: 150_000 }, (_, at) => `"k${at}":""`).join(',')}}}`;
    // More than the datastore takes.
    await refused(many, 413);
    await refused('a: b\n'.repeat(20_000), 422, 'application/yaml');
    await refused(
      `{${HEAD},"metadata":{"name":"bad","labels":{${'"a":"b",'.repeat(300_000)}"a":"b"}}}`,
      400,
      'application/json',
      `${CONFIG_MAPS}?fieldValidation=Strict`,
    );
  });

  test('what is no HTTP at all', async () => {
    const random = new Random(7);
    const port = Number(new URL(server.url).port);
    const texts = [
      'GET / HTTP/9.9\r\n\r\n',
      'GET /\r\n\r\n',
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nZ\r\n`,
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n`,
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{`,
      'GET /api HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    ];
    for (const bytes of [
      ...texts.map((text) => Buffer.from(text)),
      ...Array.from({ length: 20 }, () => random.bytes(200)),
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => socket.end(bytes));
        // How the server takes leave is its own affair.
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
        socket.resume();
        setTimeout(() => socket.destroy(), 2_000).unref();
      });
    }
    assert.equal((await server.send({ method: 'GET', path: '/livez' })).text, 'ok');
    assert.doesNotMatch(server.log, /request failed|upgrade failed|uncaught/);
  });
});
