import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { parseFieldSelector } from '../../apimachinery/fields.ts';
import { isStatusReason, StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import type { Logger } from '../../base/log.ts';
import { METRICS_TEXT_TYPE } from '../../base/metrics-text.ts';
import { processMetricsText } from '../../base/process-metrics.ts';
import type { Descriptor, Subresource } from '../../registry/descriptor.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import type { Aggregator } from '../aggregation/aggregator.ts';
import type { ApiCore } from '../api-core.ts';
import { auditedRequest, auditID } from '../audit/http.ts';
import type { AuditRecord } from '../audit/record.ts';
import type { Authenticator } from '../authn/authenticator.ts';
import type { TlsPeer } from '../authn/client-certificate.ts';
import { ImpersonationHeaderError, impersonate, parseImpersonation } from '../authn/impersonation.ts';
import type { Attributes, FieldRequirement } from '../authz/attributes.ts';
import { requireAuthorized } from '../authz/authorizer.ts';
import type { Connector } from '../connect/connector.ts';
import { handleGet, handleList } from '../handlers/read.ts';
import { handleScaleGet, handleScalePatch, handleScaleUpdate } from '../handlers/scale.ts';
import { handleWatch } from '../handlers/watch.ts';
import {
  handleAction,
  handleCreate,
  handleDelete,
  handleDeleteCollection,
  handlePatch,
  handleUpdate,
} from '../handlers/write.ts';
import { isLongRunning, parseRequestInfo, type RequestInfo } from '../request-info.ts';
import { timeLimit } from './deadline.ts';
import type { Discovery } from './discovery.ts';
import { type Exchange, type Request, type Response, sendBytes, sendDocument, sendError } from './exchange.ts';
import type { HealthChecks } from './health.ts';
import { COLLECTION_TYPES, JSON_TYPE, MEDIA_TYPES, requireProduced } from './negotiate.ts';
import type { OpenApi } from './openapi.ts';
import type { Traffic } from './traffic.ts';

export interface RouterOptions {
  readonly core: ApiCore;
  readonly authenticator: Authenticator;
  readonly discovery: Discovery;
  readonly openapi: OpenApi;
  readonly health: HealthChecks;
  readonly connector: Connector;
  readonly aggregator: Aggregator;
  /** The `/version` document. */
  readonly version: object;
  /** OpenID discovery documents by path. */
  readonly oidc: Readonly<Record<string, object>>;
  /** Paths that are not the API's own. */
  readonly routes?: readonly ExtraRoute[];
  readonly traffic: Traffic;
  /** Further parts of `/metrics`. */
  readonly metrics?: () => readonly string[];
  /** How long a request may take that is not to go on for long. */
  readonly requestTimeoutMs: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A path beside the API, authorized as a non-resource URL. */
export interface ExtraRoute {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  /** Nobody is asked who he is. */
  readonly isPublic?: boolean;
  handle(exchange: Exchange): Promise<void>;
}

type Env = { Bindings: HttpBindings };
const TEXT = 'text/plain; charset=utf-8';

/** Who asks for what: the beginning of every request. Throws 401 or 400. */
export async function openExchange(
  request: Request,
  response: Response,
  options: RouterOptions,
): Promise<OpenExchange> {
  const url = request.url ?? '/';
  const cut = url.indexOf('?');
  const query = new URLSearchParams(cut < 0 ? '' : url.slice(cut + 1));
  const info = parseRequestInfo(request.method ?? 'GET', cut < 0 ? url : url.slice(0, cut), query);
  const id = auditID(request);
  response.setHeader('audit-id', id);
  const { auditor } = options.core;
  try {
    const user = await authenticated(request, options);
    const record = auditor?.begin(auditedRequest(request, info, user, id));
    record?.received();
    return new OpenExchange(request, response, info, query, user, options.signal, record);
  } catch (error) {
    if (error instanceof StatusError && error.code === 401) {
      const record = auditor?.begin(auditedRequest(request, info, undefined, id));
      record?.response(error.status);
      record?.started(error.code);
    }
    throw error;
  }
}

/** A request whose sender is known. */
export class OpenExchange implements Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  /** Who the request acts as: who sent it, until it impersonates somebody else. */
  user: UserInfo;
  readonly audit: AuditRecord | undefined;
  readonly warnings: string[] = [];
  readonly #stopping: AbortSignal;
  #signal: AbortSignal | undefined;

  constructor(
    request: Request,
    response: Response,
    info: RequestInfo,
    query: URLSearchParams,
    user: UserInfo,
    stopping: AbortSignal,
    audit: AuditRecord | undefined,
  ) {
    this.request = request;
    this.response = response;
    this.info = info;
    this.query = query;
    this.user = user;
    this.#stopping = stopping;
    this.audit = audit;
  }

  /** Made when it is asked for, which short requests do not: it costs as much as all else of theirs here. */
  get signal(): AbortSignal {
    this.#signal ??= AbortSignal.any([goneSignal(this.response), this.#stopping]);
    return this.#signal;
  }
}

/** Aborts when the client has gone away or has been answered. */
function goneSignal(response: Response): AbortSignal {
  const { stream } = response as { stream?: { readonly destroyed: boolean } };
  if (response.destroyed || stream?.destroyed) return AbortSignal.abort();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

/** Who sent a request. Throws 401 when that cannot be known. */
async function authenticated(request: Request, { authenticator, core }: RouterOptions): Promise<UserInfo> {
  const credentials = {
    peer: request.socket as unknown as TlsPeer,
    authorization: request.headers.authorization,
    webSocketProtocol: request.headers['sec-websocket-protocol'],
  };
  try {
    return authenticator.authenticate(credentials);
  } catch (error) {
    if (!isStatusReason(error, 'Unauthorized')) throw error;
    // Another server may have just made who it is.
    await core.operations.store.datastore.current();
    return authenticator.authenticate(credentials);
  }
}

/** Lets the request act as whom its headers name, if its sender may. Throws 403 or ImpersonationHeaderError. */
export function actAsAsked(exchange: OpenExchange, { core }: RouterOptions): void {
  const impersonation = parseImpersonation(exchange.request.rawHeaders);
  if (impersonation === undefined) return;
  exchange.user = impersonate(exchange.user, impersonation, core.authorizer);
  exchange.audit?.impersonating(exchange.user);
}

/** Answers a request with 504 when it takes too long; what it has set going goes on. Throws BadRequest. */
function limitTime(exchange: OpenExchange, { core, log, traffic, requestTimeoutMs }: RouterOptions): void {
  const { request, response, info } = exchange;
  const giveUp = (): void => {
    if (response.headersSent || response.destroyed) return;
    traffic.terminated(exchange, isKnown(info, core), 504);
    const { stream } = response as { stream?: { close(): void } };
    // Nobody reads the rest of its body.
    if (!request.complete) {
      response.setHeader('connection', 'close');
      response.once('finish', () => stream?.close());
    }
    sendError(exchange, statusErrors.timeout('request did not complete within the allotted timeout'), log);
  };
  const cancel = core.clock.setTimeout(giveUp, timeLimit(exchange.query, requestTimeoutMs));
  response.once('close', cancel);
}

/** Writes the last events of a request when it has been answered. */
function completeAudit(record: AuditRecord, { info, response }: Exchange): void {
  response.once('close', () => {
    if (isLongRunning(info)) record.started(response.statusCode);
    record.complete(response.statusCode);
  });
}

/** What authorizers are asked about a request. */
export function attributesOf({ info, user, query }: Pick<Exchange, 'info' | 'user' | 'query'>): Attributes {
  if (!info.isResource) return { user, verb: info.verb, path: info.path };
  const fieldSelector = COLLECTION_VERBS.has(info.verb) ? fieldRequirements(query.get('fieldSelector')) : [];
  return {
    user,
    verb: info.verb,
    apiGroup: info.group,
    apiVersion: info.version,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    ...(fieldSelector.length === 0 ? {} : { fieldSelector }),
  };
}

const COLLECTION_VERBS: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);

/** The terms of a field selector; none of one that cannot be read, which is refused later, by who reads it. */
function fieldRequirements(text: string | null): FieldRequirement[] {
  if (text === null || text === '') return [];
  try {
    return parseFieldSelector(text).terms.map(({ field, value, negated }) => ({
      field,
      operator: negated ? '!=' : '=',
      value,
    }));
  } catch {
    return [];
  }
}

/** Answers a request; never rejects for what a client did. */
export type RequestListener = (request: Request, response: Response) => Promise<void>;

/**
 * The outer shell: hono tells the few fixed paths apart, resources are found by descriptor behind a catch-all. Plain
 * paths of the API do not go through it: telling them apart there would cost as much as reading an object does.
 */
export function createRouter(options: RouterOptions): RequestListener {
  const { core, discovery, health, openapi, log, traffic } = options;
  const app = new Hono<Env>();

  type Handler = (exchange: Exchange) => Promise<void> | void;

  const serve = async (request: Request, response: Response, handler: Handler): Promise<void> => {
    let exchange: OpenExchange | undefined;
    try {
      exchange = await openExchange(request, response, options);
      if (exchange.audit !== undefined) completeAudit(exchange.audit, exchange);
      actAsAsked(exchange, options);
      if (!isLongRunning(exchange.info)) limitTime(exchange, options);
      if (!traffic.enter(exchange, isKnown(exchange.info, core))) {
        tooMany(exchange);
        return;
      }
      if (needsCurrent(exchange, core)) await core.operations.store.datastore.current();
      requireAuthorized(core.authorizer, attributesOf(exchange), exchange.audit);
      await handler(exchange);
    } catch (error) {
      const answering = exchange ?? bareExchange(request, response, options);
      if (error instanceof ImpersonationHeaderError) sendInternalError(answering, error.message);
      else sendError(answering, error, log);
    }
  };

  const route =
    (handler: (exchange: Exchange, parts: readonly string[]) => Promise<void> | void) =>
    async ({ env }: Context<Env>): Promise<globalThis.Response> => {
      await serve(env.incoming, env.outgoing, (exchange) => handler(exchange, partsOf(exchange.info.path)));
      return RESPONSE_ALREADY_SENT;
    };

  /** Like `route`, for everybody. */
  const open =
    (handler: (exchange: Exchange) => Promise<void>) =>
    async (context: Context<Env>): Promise<globalThis.Response> => {
      const exchange = bareExchange(context.env.incoming, context.env.outgoing, options);
      try {
        await handler(exchange);
      } catch (error) {
        sendError(exchange, error, log);
      }
      return RESPONSE_ALREADY_SENT;
    };

  const text = sendText;
  const tooMany = (exchange: Exchange): void => {
    exchange.response.setHeader('retry-after', '1');
    text(exchange, 429, 'Too many requests, please try again later.\n');
  };
  const notFound = sendPlainNotFound;

  const healthRoute = route(async (exchange, [probe = '', ...check]) => {
    const outcome = await health.run(probe, check.join('/'), exchange.query);
    if (outcome === undefined) notFound(exchange);
    else text(exchange, outcome.healthy ? 200 : 500, outcome.text);
  });
  for (const probe of ['healthz', 'livez', 'readyz']) {
    app.all(`/${probe}`, healthRoute);
    app.all(`/${probe}/*`, healthRoute);
  }
  app.get(
    '/metrics',
    route((exchange) => {
      const parts = [traffic.text(core.operations.store), ...(options.metrics?.() ?? []), processMetricsText()];
      const body = Buffer.from(parts.join(''));
      sendBytes(exchange, body, { mediaType: METRICS_TEXT_TYPE });
    }),
  );
  app.all(
    '/version',
    route((exchange) => {
      if (exchange.request.method !== 'GET') throw statusErrors.methodNotAllowed();
      requireProduced(exchange.request.headers.accept, [JSON_TYPE]);
      sendIndented(exchange, options.version);
    }),
  );
  app.get(
    '/',
    route((exchange) => sendIndented(exchange, { paths: rootPaths(discovery, health) })),
  );
  app.get(
    '/openapi/v2',
    route((exchange) => openapi.sendV2(exchange)),
  );
  const openapiV3 = route((exchange, parts) => {
    if (!openapi.sendV3(exchange, parts.slice(2).join('/'))) notFound(exchange);
  });
  app.get('/openapi/v3', openapiV3);
  app.get('/openapi/v3/*', openapiV3);
  for (const [path, document] of Object.entries(options.oidc)) {
    app.get(
      path,
      route((exchange) => {
        const mediaType = path.endsWith('/jwks') ? 'application/jwk-set+json' : JSON_TYPE;
        const body = Buffer.from(JSON.stringify(document));
        sendBytes(exchange, body, { mediaType, headers: { 'cache-control': 'public, max-age=3600' } });
      }),
    );
  }

  for (const { method, path, isPublic, handle } of options.routes ?? []) {
    const serve = isPublic === true ? open(handle) : route(handle);
    app.on(method, path, serve);
  }

  const serveApi = async (exchange: Exchange): Promise<void> => {
    const { isResource, path } = exchange.info;
    if (path.startsWith('/apis/')) {
      const [, group = '', version] = partsOf(path);
      const remote = version === undefined ? undefined : options.aggregator.serve(exchange, group, version);
      if (remote !== undefined) {
        if (!(await remote)) text(exchange, 503, 'service unavailable\n');
        return;
      }
    }
    if (isResource) {
      await serveResource(exchange, options);
      return;
    }
    const parts = partsOf(path);
    const found = await discovery.document(parts, exchange.request.headers.accept);
    if (found === undefined) {
      if (parts[0] === 'apis' && (parts.length === 2 || !hasBuiltIn(core, parts[1] ?? ''))) notFound(exchange);
      else throw statusErrors.pathNotFound();
      return;
    }
    // Only the two roots take every method.
    if (parts.length > 1 && exchange.request.method !== 'GET') throw statusErrors.methodNotAllowed();
    if (found.etag !== undefined && exchange.request.headers['if-none-match'] === found.etag) {
      exchange.response.writeHead(304, { etag: found.etag }).end();
      return;
    }
    const vary = parts.length === 1 ? { vary: 'Accept' } : {};
    const headers = { ...vary, ...(found.etag === undefined ? {} : { etag: found.etag }) };
    sendDocument(exchange, found.body, { mediaType: found.mediaType, headers });
  };
  const api = route(serveApi);
  app.all('/api', api);
  app.all('/api/*', api);
  app.all('/apis', api);
  app.all('/apis/*', api);
  app.all('*', route(notFound));
  const shell = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return async (request, response) => {
    if (!isPlainApiRequest(request)) {
      await shell(request, response);
      return;
    }
    await serve(request, response, serveApi);
    if (isUnread(request)) response.once('finish', () => dropUnreadBody(request));
  };
}

/** Paths and hosts with which no URL parser would do anything: no dot segments, escapes or strange characters. */
const PLAIN_PATH = /^\/apis?(?:\/(?!\.)[\w.:-]+)*(?:\?|$)/;
const PLAIN_HOST = /^[\w.-]+(?::\d+)?$/;

function isPlainApiRequest({ url, headers }: Request): boolean {
  return (
    url !== undefined && PLAIN_PATH.test(url) && PLAIN_HOST.test(headers.host ?? String(headers[':authority'] ?? ''))
  );
}

/** How long the rest of a body that nobody wants may go on. */
const UNREAD_MS = 500;

/** A client that still sends what was refused already gets to see the answer; then it is cut off. */
function dropUnreadBody(request: Request): void {
  if (!isUnread(request)) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), UNREAD_MS);
  timer.unref();
  const done = (): void => clearTimeout(timer);
  request.once('end', done);
  request.once('close', done);
}

const isUnread = ({ readableEnded, destroyed, method }: Request): boolean =>
  !readableEnded && !destroyed && method !== 'GET' && method !== 'HEAD';

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '');

/**
 * Whether the request has to see what other servers wrote before it: all but those that say any version will do, and
 * watches that begin where this server has been already.
 */
function needsCurrent({ info, query }: Exchange, core: ApiCore): boolean {
  if (!info.isResource) return false;
  const version = query.get('resourceVersion');
  if (info.verb === 'get' || info.verb === 'list') return version !== '0';
  if (info.verb !== 'watch') return true;
  return version !== '0' && !(Number(version) > 0 && Number(version) <= core.operations.store.revision);
}

/** An exchange for answering a request that was refused before it got one. */
function bareExchange(request: Request, response: Response, options: RouterOptions): Exchange {
  const info = parseRequestInfo(request.method ?? 'GET', '/', new URLSearchParams());
  const user = { name: '', groups: [] };
  return { request, response, info, query: new URLSearchParams(), user, warnings: [], signal: options.signal };
}

function rootPaths(discovery: Discovery, health: HealthChecks): string[] {
  const groups = discovery.groups().flatMap(({ name, versions }) => {
    const base = name === '' ? '/api' : `/apis/${name}`;
    return [base, ...versions.map(({ version }) => `${base}/${version}`)];
  });
  const fixed = [
    '/.well-known/openid-configuration',
    '/apis',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/openid/v1/jwks',
    ...health.paths(),
    '/version',
  ];
  return [...fixed, ...groups].sort();
}

/** What upstream always writes for people. */
const sendIndented = (exchange: Exchange, document: object): void =>
  sendBytes(exchange, Buffer.from(JSON.stringify(document, null, 2)), {});

function sendText(exchange: Exchange, code: number, body: string): void {
  sendBytes(exchange, Buffer.from(body), { code, mediaType: TEXT, headers: { 'x-content-type-options': 'nosniff' } });
}

/** Upstream's answer to requests that fail before they are understood: text that no browser takes for a page. */
function sendInternalError(exchange: Exchange, message: string): void {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
  const text = `Internal Server Error: ${JSON.stringify(exchange.request.url ?? '/')}: ${message}`;
  sendText(exchange, 500, `${text.replace(/[&<>]/g, (sign) => entities[sign] ?? sign)}\n`);
}

const sendPlainNotFound = (exchange: Exchange): void => sendText(exchange, 404, '404 page not found\n');

/** Whether the group has kinds of Kubernetes itself: paths below it are refused with a Status. */
const hasBuiltIn = ({ registry }: ApiCore, group: string): boolean =>
  [...registry.all()].some(({ type, custom }) => type.group === group && !custom);

/** Finds the descriptor of an authorized resource request and hands it to the verb's handler. */
export async function serveResource(exchange: Exchange, options: RouterOptions): Promise<void> {
  const { core, log } = options;
  const { info } = exchange;
  const descriptor = core.registry.find(info.group, info.version, info.resource);
  if (descriptor === undefined && !hasBuiltIn(core, info.group)) {
    sendPlainNotFound(exchange);
    return;
  }
  if (descriptor === undefined) throw statusErrors.pathNotFound();
  if (!scopeFits(descriptor, info)) {
    if (descriptor.custom) {
      sendPlainNotFound(exchange);
      return;
    }
    throw isReadAcross(descriptor, info) ? statusErrors.methodNotAllowed() : statusErrors.pathNotFound();
  }
  if (descriptor.custom) warnOfDeprecation(exchange, descriptor);
  if (info.subresource !== '') {
    await serveSubresource(exchange, descriptor, options);
    return;
  }
  if (exchange.request.method === 'HEAD' && !descriptor.custom) throw statusErrors.methodNotAllowed();
  const onObject =
    info.verb === 'list' || info.verb === 'watch' ? info.watchPrefix && info.name !== '' : info.name !== '';
  if (descriptor.virtual !== undefined && info.verb === 'create' && !onObject) {
    requireProduced(exchange.request.headers.accept, MEDIA_TYPES);
    await handleAction(exchange, descriptor, core);
    return;
  }
  if (!(descriptor.verbs as readonly string[]).includes(info.verb)) throw verbRefused(descriptor, info);
  if (!descriptor.custom) {
    requireProduced(
      exchange.request.headers.accept,
      info.verb === 'list' || info.verb === 'watch' ? COLLECTION_TYPES : MEDIA_TYPES,
    );
    warnOfDeprecation(exchange, descriptor);
  }
  switch (info.verb) {
    case 'get':
      return handleGet(exchange, descriptor, core.operations);
    case 'list':
      return handleList(exchange, descriptor, core.operations);
    case 'watch':
      return handleWatch(exchange, descriptor, core, log);
    case 'create':
      if (onObject) throw verbRefused(descriptor, info);
      return handleCreate(exchange, descriptor, core.operations);
    case 'deletecollection':
      return handleDeleteCollection(exchange, descriptor, core.operations);
  }
  if (!onObject) {
    throw descriptor.custom ? statusErrors.badRequest('name must be provided') : statusErrors.methodNotAllowed();
  }
  switch (info.verb) {
    case 'update':
      return handleUpdate(exchange, descriptor, core.operations);
    case 'patch':
      return handlePatch(exchange, descriptor, core.operations, core.managedFields);
    case 'delete':
      return handleDelete(exchange, descriptor, core.operations);
    default:
      throw verbRefused(descriptor, info);
  }
}

/** Custom resources are refused in words of their own. */
function verbRefused({ custom, type, verbs }: Descriptor, { verb, subresource }: RequestInfo): StatusError {
  if (!custom) return statusErrors.methodNotAllowed();
  const isGoing = verb === 'create' && subresource === '' && !verbs.includes('create');
  return statusErrors.methodNotSupported(
    type,
    verb,
    isGoing ? `${verb} not allowed while custom resource definition is terminating` : undefined,
  );
}

/** Whether the path is that of a collection across namespaces, of which there is nothing to do but to read. */
const isReadAcross = ({ type, verbs }: Descriptor, { namespace, name, rest }: RequestInfo): boolean =>
  type.namespaced && namespace === '' && name === '' && rest.length === 0 && verbs.includes('list');

/** Of built-in kinds upstream warns only where it serves the verb. */
function warnOfDeprecation({ warnings }: Exchange, { deprecation }: Descriptor): void {
  if (deprecation !== undefined) warnings.push(deprecation);
}

/** Whether the server has the resource, and the part of it, that a request is about. */
export function isKnown(info: RequestInfo, core: ApiCore): boolean {
  const descriptor = core.registry.find(info.group, info.version, info.resource);
  return descriptor !== undefined && (info.subresource === '' || subresourceOf(descriptor, info) !== undefined);
}

/** The subresource a path names; names of JavaScript's own (`__proto__`) are none. */
export function subresourceOf(descriptor: Descriptor, { subresource }: RequestInfo): Subresource | undefined {
  return Object.hasOwn(descriptor.subresources, subresource) ? descriptor.subresources[subresource] : undefined;
}

/** Namespaced objects are reached below a namespace only, cluster-scoped ones never; collections are read across, too. */
function scopeFits(descriptor: Descriptor, info: RequestInfo): boolean {
  if (info.rest.length > 0 && subresourceOf(descriptor, info)?.type !== 'connect') return false;
  if (!descriptor.type.namespaced) return info.namespace === '' || descriptor.type.resource === 'namespaces';
  if (info.namespace !== '') return true;
  const isRead = info.verb === 'list' || info.verb === 'watch';
  return isRead && !(info.watchPrefix && info.name !== '');
}

async function serveSubresource(exchange: Exchange, descriptor: Descriptor, options: RouterOptions): Promise<void> {
  const { core } = options;
  const { info } = exchange;
  const subresource = subresourceOf(descriptor, info);
  if (subresource === undefined || info.name === '') {
    throw descriptor.custom ? statusErrors.notFound(descriptor.type, info.name) : statusErrors.pathNotFound();
  }
  // Proxies take every method there is.
  const isTaken = info.subresource === 'proxy' || (subresource.verbs as readonly string[]).includes(info.verb);
  if (!isTaken) throw verbRefused(descriptor, info);
  if (subresource.type === 'connect') return options.connector.serve(exchange, descriptor);
  if (!descriptor.custom) requireProduced(exchange.request.headers.accept, MEDIA_TYPES);
  if (subresource.type === 'action') return handleAction(exchange, descriptor, core);
  if (subresource.type === 'scale') {
    if (info.verb === 'get') return handleScaleGet(exchange, descriptor, subresource, core);
    if (info.verb === 'update') return handleScaleUpdate(exchange, descriptor, subresource, core);
    return handleScalePatch(exchange, descriptor, subresource, core);
  }
  if (info.verb === 'get') return handleGet(exchange, descriptor, core.operations);
  if (info.verb === 'update') return handleUpdate(exchange, descriptor, core.operations);
  return handlePatch(exchange, descriptor, core.operations, core.managedFields);
}
