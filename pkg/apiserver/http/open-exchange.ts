/** The beginning of every request: who asks, as whom, for what. */
import { parseFieldSelector } from '../../apimachinery/fields.ts';
import { isStatusReason, StatusError } from '../../apimachinery/status-error.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import type { ApiCore } from '../api-core.ts';
import { auditedRequest, auditID } from '../audit/http.ts';
import type { AuditRecord } from '../audit/record.ts';
import type { Authenticator } from '../authn/authenticator.ts';
import type { TlsPeer } from '../authn/client-certificate.ts';
import { impersonate, parseImpersonation } from '../authn/impersonation.ts';
import type { Attributes, FieldRequirement } from '../authz/attributes.ts';
import { parseRequestInfo, type RequestInfo } from '../request-info.ts';
import type { Exchange, Request, Response } from './exchange.ts';

export interface ExchangeOptions {
  readonly core: ApiCore;
  readonly authenticator: Authenticator;
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
}

/** Who asks for what: the beginning of every request. Throws 401 or 400. */
export async function openExchange(
  request: Request,
  response: Response,
  options: ExchangeOptions,
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
async function authenticated(request: Request, { authenticator, core }: ExchangeOptions): Promise<UserInfo> {
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
export function actAsAsked(exchange: OpenExchange, { core }: ExchangeOptions): void {
  const impersonation = parseImpersonation(exchange.request.rawHeaders);
  if (impersonation === undefined) return;
  exchange.user = impersonate(exchange.user, impersonation, core.authorizer);
  exchange.audit?.impersonating(exchange.user);
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
