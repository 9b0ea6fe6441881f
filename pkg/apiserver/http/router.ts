import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { METRICS_TEXT_TYPE } from '../../base/metrics-text.ts';
import { processMetricsText } from '../../base/process-metrics.ts';
import type { Aggregator } from '../aggregation/aggregator.ts';
import type { ApiCore } from '../api-core.ts';
import type { AuditRecord } from '../audit/record.ts';
import { ImpersonationHeaderError } from '../authn/impersonation.ts';
import { requireAuthorized } from '../authz/authorizer.ts';
import { isLongRunning, parseRequestInfo } from '../request-info.ts';
import { timeLimit } from './deadline.ts';
import type { Discovery } from './discovery.ts';
import {
  type Exchange,
  type Request,
  type Response,
  sendBytes,
  sendDocument,
  sendError,
  sendPlainNotFound,
  sendText,
} from './exchange.ts';
import type { HealthChecks } from './health.ts';
import { JSON_TYPE, requireProduced } from './negotiate.ts';
import { actAsAsked, attributesOf, type ExchangeOptions, type OpenExchange, openExchange } from './open-exchange.ts';
import type { OpenApi } from './openapi.ts';
import { hasBuiltIn, isKnown, type ResourceOptions, serveResource } from './resource-routes.ts';
import type { Traffic } from './traffic.ts';

export interface RouterOptions extends ExchangeOptions, ResourceOptions {
  readonly discovery: Discovery;
  readonly openapi: OpenApi;
  readonly health: HealthChecks;
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
  const version = route((exchange) => {
    if (exchange.request.method !== 'GET') throw statusErrors.methodNotAllowed();
    requireProduced(exchange.request.headers.accept, [JSON_TYPE]);
    sendIndented(exchange, options.version);
  });
  app.all('/version', version);
  // As OpenAPI names it, and with it generated clients.
  app.all('/version/', version);
  app.get(
    '/',
    route((exchange) => sendIndented(exchange, { paths: rootPaths(discovery, health) })),
  );
  app.get(
    '/openapi/v2',
    route((exchange) => openapi.sendV2(exchange)),
  );
  const openapiV3 = route(async (exchange, parts) => {
    const [, , root, group = '', version = ''] = parts;
    if (openapi.sendV3(exchange, parts.slice(2).join('/'))) return;
    const remote = root === 'apis' ? options.aggregator.serve(exchange, group, version) : undefined;
    if (remote === undefined) notFound(exchange);
    else if (!(await remote)) sendText(exchange, 503, 'service unavailable\n');
  });
  app.get('/openapi/v3', openapiV3);
  app.get('/openapi/v3/*', openapiV3);
  for (const [path, document] of Object.entries(options.oidc)) {
    const handler = route((exchange) => {
      const mediaType = path.endsWith('/jwks') ? 'application/jwk-set+json' : JSON_TYPE;
      const body = Buffer.from(JSON.stringify(document));
      sendBytes(exchange, body, { mediaType, headers: { 'cache-control': 'public, max-age=3600' } });
    });
    app.get(path, handler);
    app.get(`${path}/`, handler);
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

/** Upstream's answer to requests that fail before they are understood: text that no browser takes for a page. */
function sendInternalError(exchange: Exchange, message: string): void {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
  const text = `Internal Server Error: ${JSON.stringify(exchange.request.url ?? '/')}: ${message}`;
  sendText(exchange, 500, `${text.replace(/[&<>]/g, (sign) => entities[sign] ?? sign)}\n`);
}
