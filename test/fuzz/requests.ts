import type { Json, JsonObject } from '../../pkg/api/schema.ts';
import { encodeProtobuf, schemaOfKind } from '../../pkg/apimachinery/protobuf/envelope.ts';
import { formatYaml } from '../../pkg/apimachinery/yaml.ts';
import { mutateJson, strangeJsonText, strangeValue } from './json.ts';
import { NAMES, sampleObject } from './objects.ts';
import { queryText, requestText } from './queries.ts';
import { Random } from './random.ts';
import { pathOf, pickTarget, type Target } from './targets.ts';
import { mutateBytes, mutateText, strangeText } from './texts.ts';
import { strangeAuthorization } from './tokens.ts';

/** One request as it is sent; `tokens` come without the administrator's certificate. */
export interface FuzzRequest {
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly anonymous: boolean;
}

const JSON_TYPE = 'application/json';
const YAML_TYPE = 'application/yaml';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';

const ACCEPTS = [
  JSON_TYPE,
  YAML_TYPE,
  PROTOBUF,
  `${JSON_TYPE};as=Table;v=v1;g=meta.k8s.io`,
  `${JSON_TYPE};as=PartialObjectMetadata;v=v1;g=meta.k8s.io`,
  `${PROTOBUF};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,${JSON_TYPE}`,
  `${JSON_TYPE};stream=watch`,
  '*/*',
  'text/html;q=0.5,*/*;q=0.1',
  'application/json;q=x',
];

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'LINK'];

const PLACES = [
  '/',
  '/api',
  '/api/v1',
  '/apis',
  '/apis/apps',
  '/apis/apps/v1',
  '/apis/none',
  '/version',
  '/metrics',
  '/healthz',
  '/readyz/ping',
  '/livez/none',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/api/v1',
  '/openid/v1/jwks',
  '/.well-known/openid-configuration',
  '/logs',
  '/debug/pprof',
  '/cacerts',
  '/v1-kedge/none',
  '/api/v1/watch/pods',
  '/api/v1/watch/namespaces/default/configmaps/a',
  '/api/v1/namespaces/default',
  '/api/v1/namespaces/default/services/a:http/proxy/x',
  '/api/v1/nodes/none/proxy/stats',
];

/** The `index`-th request below a seed: always the same one. */
export function fuzzRequest(seed: number, index: number): FuzzRequest {
  const random = Random.of(seed, index);
  return random.weighted([
    [30, create],
    [14, update],
    [14, patch],
    [6, apply],
    [5, remove],
    [16, read],
    [6, place],
    [4, tokenRequest],
    [5, part],
  ])(random);
}

const name = (random: Random): string =>
  random.chance(0.9) ? random.pick(NAMES) : requestText(strangeText(random)).replaceAll('/', '%2F');

/** Everything there is may be tried on writes, as long as half of it is not kept. */
const writeQuery = (random: Random, always: Readonly<Record<string, string>> = {}): string =>
  queryText(random, random.chance(0.4) ? { ...always, dryRun: 'All' } : always);

function create(random: Random): FuzzRequest {
  const target = pickTarget(random);
  return send(random, 'create', 'POST', pathOf(target, 'default') + writeQuery(random), objectBody(random, target));
}

function update(random: Random): FuzzRequest {
  const target = pickTarget(random);
  const called = name(random);
  const { status } = target.parts;
  const path = pathOf(target, 'default', called, status !== undefined && random.chance(0.25) ? 'status' : '');
  return send(random, 'update', 'PUT', path + writeQuery(random), objectBody(random, target, called));
}

function part(random: Random): FuzzRequest {
  const target = pickTarget(random);
  const named = Object.entries(target.parts);
  const [chosen, shape] = named.length > 0 ? random.pick(named) : ['status', target];
  const called = name(random);
  const path = pathOf(target, 'default', called, chosen) + writeQuery(random);
  const method = random.pick(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
  return send(random, `part`, method, path, method === 'GET' ? undefined : objectBody(random, shape, called));
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** A body and its type: mostly one that is nearly right. */
type Content = { readonly type: string; readonly bytes: Buffer };

function objectBody(random: Random, shape: Pick<Target, 'type' | 'schema'>, called?: string): Content {
  const sample = sampleObject(random, shape);
  if (called !== undefined) sample['metadata'] = { ...(sample['metadata'] as JsonObject), name: decoded(called) };
  const object = random.chance(0.75) ? mutateJson(random, sample) : sample;
  const content = random.weighted<() => Content>([
    [6, () => ({ type: JSON_TYPE, bytes: Buffer.from(JSON.stringify(object)) })],
    [1, () => ({ type: JSON_TYPE, bytes: Buffer.from(strangeJsonText(random, object)) })],
    [1, () => ({ type: YAML_TYPE, bytes: yamlBytes(random, object) })],
    [2, () => protobuf(sample)],
  ])();
  if (random.chance(content.type === PROTOBUF ? 0.6 : 0.08))
    return { ...content, bytes: mutateBytes(random, content.bytes) };
  return random.chance(0.02)
    ? { ...content, type: random.pick([strangeHeader(random), 'text/plain', PROTOBUF]) }
    : content;
}

/** Objects without a protobuf form, and those whose random values have none, go as JSON. */
function protobuf(object: JsonObject): Content {
  const schema = schemaOfKind(String(object['apiVersion']), String(object['kind']));
  try {
    if (schema !== undefined) return { type: PROTOBUF, bytes: encodeProtobuf(object, schema) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  return { type: JSON_TYPE, bytes: Buffer.from(JSON.stringify(object)) };
}

function yamlBytes(random: Random, object: Json): Buffer {
  const text = yamlText(object);
  return Buffer.from(
    random.weighted<() => string>([
      [3, () => text],
      [1, () => mutateText(random, text)],
      [1, () => `a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n${text}`],
      [1, () => `${text}---\n${text}`],
      [1, () => text.replaceAll('  ', '\t')],
      [
        1,
        () =>
          text.replace(
            /: (\S)/,
            `: ${random.pick(['!!binary ', '!!js/function ', '*none ', '&x ', '? ', '| ', '<<: '])}$1`,
          ),
      ],
    ])(),
  );
}

/** JSON is YAML, too; what is too deep for the one who writes YAML is sent so. */
function yamlText(object: Json): string {
  try {
    return formatYaml(object);
  } catch (error) {
    if (error instanceof RangeError) return JSON.stringify(object);
    throw error;
  }
}

function patch(random: Random): FuzzRequest {
  const target = pickTarget(random);
  const called = name(random);
  const [type, body] = random.weighted<() => [string, Json]>([
    [4, () => ['application/json-patch+json', jsonPatch(random)]],
    [3, () => ['application/merge-patch+json', fragment(random, target)]],
    [4, () => ['application/strategic-merge-patch+json', withDirectives(random, fragment(random, target))]],
  ])();
  const sub = random.chance(0.2) ? random.pick(['status', 'scale', ...Object.keys(target.parts)]) : '';
  const text = random.chance(0.1) ? strangeJsonText(random, body) : JSON.stringify(body);
  const bytes = random.chance(0.05) ? mutateBytes(random, Buffer.from(text)) : Buffer.from(text);
  return send(random, 'patch', 'PATCH', pathOf(target, 'default', called, sub) + writeQuery(random), { type, bytes });
}

/** A part of an object of the kind, changed. */
function fragment(random: Random, target: Target): Json {
  const whole = sampleObject(random, target);
  const keys = Object.keys(whole).filter((key) => key !== 'apiVersion' && key !== 'kind');
  const key = random.pick(keys.length > 0 ? keys : ['metadata']);
  return mutateJson(random, { [key]: whole[key] ?? null });
}

const DIRECTIVES: readonly JsonObject[] = [
  { $patch: 'delete' },
  { $patch: 'replace' },
  { $patch: 'merge' },
  { $patch: 7 },
  { $retainKeys: ['x'] },
  { $retainKeys: 'x' },
  { '$setElementOrder/containers': [{ name: 'x' }, { name: 'main' }] },
  { '$setElementOrder/containers': ['x', 1] },
  { '$deleteFromPrimitiveList/finalizers': ['x'] },
  { '$deleteFromPrimitiveList/containers': 'x' },
];

function withDirectives(random: Random, value: Json, depth = 0): Json {
  if (depth > 20) return value;
  if (Array.isArray(value)) return value.map((item) => withDirectives(random, item, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const changed = Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withDirectives(random, item ?? null, depth + 1)]),
  );
  return random.chance(0.15) ? { ...changed, ...random.pick(DIRECTIVES) } : changed;
}

const POINTERS = [
  '/metadata/labels/app',
  '/metadata/name',
  '/metadata',
  '/spec',
  '/spec/template/spec/containers/0',
  '/spec/replicas',
  '/data/a',
  '',
  '/-',
  '/data/~',
  '/data/~2',
  '/__proto__/x',
  '/metadata/finalizers/-',
  '/spec/ports/1',
  '/spec/ports/01',
  '/metadata/managedFields',
];

function jsonPatch(random: Random): Json {
  if (random.chance(0.05)) return strangeValue(random);
  const pointer = (): string =>
    random.chance(0.85) ? random.pick(POINTERS) : mutateText(random, random.pick(POINTERS));
  return Array.from(
    {
      length: random.weighted([
        [6, 1],
        [3, 3],
        [0.2, 300],
      ]),
    },
    () => {
      const op = random.pick(['add', 'replace', 'remove', 'copy', 'move', 'test', 'add', 'replace', 'jump']);
      const operation: JsonObject = { op, path: pointer() };
      if (random.chance(0.8)) operation['value'] = strangeValue(random);
      if (random.chance(op === 'copy' || op === 'move' ? 0.9 : 0.1)) operation['from'] = pointer();
      return random.chance(0.1) ? mutateJson(random, operation) : operation;
    },
  );
}

function apply(random: Random): FuzzRequest {
  const target = pickTarget(random);
  const called = name(random);
  const path = pathOf(target, 'default', called, random.chance(0.1) ? 'status' : '');
  const { bytes } = objectBody(random, target, called);
  const query = writeQuery(random, random.chance(0.95) ? { fieldManager: random.pick(['fuzz', 'other']) } : {});
  return send(random, 'apply', 'PATCH', path + query, { type: 'application/apply-patch+yaml', bytes });
}

function remove(random: Random): FuzzRequest {
  const target = pickTarget(random);
  const whole = random.chance(0.15);
  const options: JsonObject = {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    propagationPolicy: 'Background',
    preconditions: { uid: 'x' },
    gracePeriodSeconds: 0,
    dryRun: ['All'],
  };
  const path = pathOf(target, 'default', whole ? '' : name(random)) + writeQuery(random);
  const bytes = (): Buffer => Buffer.from(JSON.stringify(mutateJson(random, options)));
  return send(random, 'delete', 'DELETE', path, random.chance(0.5) ? { type: JSON_TYPE, bytes: bytes() } : undefined);
}

function read(random: Random): FuzzRequest {
  const target = pickTarget(random);
  const base = pathOf(target, random.chance(0.8) ? 'default' : '', random.chance(0.3) ? name(random) : '');
  const path = random.chance(0.1) ? damaged(random, base) : base;
  return send(random, 'read', random.chance(0.95) ? 'GET' : random.pick(METHODS), path + queryText(random));
}

function place(random: Random): FuzzRequest {
  const base = random.pick(PLACES);
  const path = random.chance(0.6) ? damaged(random, base) : base;
  const method = random.chance(0.7) ? 'GET' : random.pick(METHODS);
  const content =
    method === 'GET' || random.chance(0.5) ? undefined : { type: JSON_TYPE, bytes: random.bytes(random.below(50)) };
  return send(random, 'place', method, path + queryText(random), content);
}

/** A path with pieces doubled, swapped, taken out, or changed. */
function damaged(random: Random, path: string): string {
  const pieces = path.split('/');
  const at = random.below(pieces.length);
  const changed = random.weighted<() => string>([
    [2, () => requestText(mutateText(random, path))],
    [2, () => pieces.with(at, requestText(strangeText(random))).join('/')],
    [1, () => pieces.toSpliced(at, 1).join('/')],
    [
      1,
      () =>
        pieces
          .toSpliced(at, 0, random.pick(['', '.', '..', 'watch', 'proxy', 'namespaces', 'status', '%2e%2e']))
          .join('/'),
    ],
    [1, () => path.replaceAll('/', '//')],
    [0.3, () => `${path}/${'x/'.repeat(2000)}`],
  ])();
  return `/${changed.replace(/^\/+(?=.)/, random.chance(0.1) ? '/' : '')}`;
}

function tokenRequest(random: Random): FuzzRequest {
  const target = pickTarget(random);
  const headers = { authorization: headerText(strangeAuthorization(random)) };
  const write = random.chance(0.3);
  const path = pathOf(target, 'default') + queryText(random);
  const { body, ...rest } = send(
    random,
    'token',
    write ? 'POST' : 'GET',
    path,
    write ? objectBody(random, target) : undefined,
  );
  return {
    ...rest,
    ...(body === undefined ? {} : { body }),
    headers: { ...rest.headers, ...headers },
    anonymous: true,
  };
}

const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'impersonate-user': ['system:anonymous', 'x', ''],
  'impersonate-group': ['system:masters', 'x'],
  'impersonate-uid': ['1'],
  'impersonate-extra-a%2fb': ['c'],
  'x-remote-user': ['admin'],
  'if-none-match': ['"x"', '*'],
  'accept-encoding': ['gzip', 'br', 'gzip;q=0', 'x'],
  'content-encoding': ['gzip', 'x'],
  'user-agent': ['curl/8', 'kubectl/v1.36', 'Mozilla/5.0'],
  range: ['bytes=0-1'],
  'sec-websocket-protocol': ['base64url.bearer.authorization.k8s.io.eA', 'v5.channel.k8s.io'],
  'x-forwarded-for': ['127.0.0.1'],
  'x-http-method-override': ['DELETE'],
  'audit-id': ['x', 'y'.repeat(300)],
};

const headerText = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replace(/[^\t -~\x80-\xff]/g, '');

const strangeHeader = (random: Random): string => headerText(strangeText(random));

function send(random: Random, kind: string, method: string, path: string, content?: Content): FuzzRequest {
  const headers: Record<string, string> = {};
  if (random.chance(0.5))
    headers['accept'] = random.chance(0.9)
      ? random.pick(ACCEPTS)
      : headerText(mutateText(random, random.pick(ACCEPTS)));
  if (random.chance(0.15)) {
    const header = random.pick(Object.keys(HEADERS));
    headers[header] = random.chance(0.8) ? random.pick(HEADERS[header] ?? ['']) : strangeHeader(random);
  }
  if (content !== undefined) {
    headers['content-type'] = content.type;
    headers['content-length'] = String(content.bytes.length);
  }
  const shown = path.length > 7000 ? path.slice(0, 7000) : path;
  return {
    kind,
    method,
    path: shown,
    headers,
    anonymous: false,
    ...(content === undefined ? {} : { body: content.bytes }),
  };
}
