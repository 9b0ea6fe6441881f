import { type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent, request as requestHttps } from 'node:https';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ConnectionOptions } from 'node:tls';
import type { Pod } from '../../api/generated/core-v1.ts';
import { nodes, pods } from '../../api/resources.ts';
import { type StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import { tunnelUpgrade } from '../../streaming/upgrade-tunnel.ts';
import type { Exchange, Request } from '../http/exchange.ts';
import type { RequestInfo } from '../request-info.ts';
import type { Store } from '../storage/store.ts';
import { kubeletLogQuery, podContainer } from './container-choice.ts';
import { kubeletAddress } from './kubelet-address.ts';
import { pageRewriter, rewriteLink } from './page-rewriter.ts';
import { type ProxyTarget, proxyTarget } from './proxy-target.ts';

/** How the API server proves itself to kubelets and knows them. */
export interface KubeletTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** What only this server may say of who asks. */
const FOREIGN = /^(impersonate|x-remote)-/;

/** A server of another part of the API: where it is, how it is known, who it is told asks. */
export interface AggregatedTarget {
  readonly url: URL;
  readonly tls: ConnectionOptions;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

/** Headers that concern one connection only, or the client's credentials. */
const DROPPED = new Set([
  'host',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'authorization',
  'te',
  'trailer',
  'proxy-connection',
]);

/** What a body that is changed on its way no longer is. */
const BODY_HEADERS = new Set(['content-length', 'content-encoding', 'etag']);

/** Serves the subresources that are streams or foreign answers, by passing the request on to a kubelet or a Pod. */
export class Connector {
  readonly #store: Store;
  #tls: KubeletTls;
  readonly #log: Logger;
  #agent: Agent;

  constructor(store: Store, tls: KubeletTls, log: Logger) {
    this.#store = store;
    this.#tls = tls;
    this.#log = log;
    this.#agent = agentFor(tls);
  }

  /** Shows kubelets renewed certificates from now on; what is under way goes on. */
  setTls(tls: KubeletTls): void {
    this.#tls = tls;
    this.#agent = agentFor(tls);
  }

  /** A plain (not upgraded) request to a connect subresource. */
  async serve(exchange: Exchange, descriptor: Descriptor): Promise<void> {
    const { info } = exchange;
    switch (info.subresource) {
      case 'log': {
        const target = this.#logTarget(info, exchange.query);
        if (target !== undefined) return this.#forward(exchange, target, kubeletRefusal);
        exchange.response.writeHead(204).end();
        return;
      }
      case 'proxy': {
        const asked = exchange.request.url ?? '/';
        const target = proxyTarget(this.#store, descriptor, info, asked);
        if (redirectedToFolder(exchange, target.prefix ?? '')) return;
        return this.#forward(exchange, { ...target, headers: reverseProxyHeaders(exchange.request) });
      }
      default:
        // What is wrong with the request itself is told first.
        this.#streamTarget(info, exchange.query);
        throw statusErrors.badRequest('Upgrade request required');
    }
  }

  /** Passes a request on to a server of another part of the API, and its answer back. */
  aggregate(exchange: Exchange, target: AggregatedTarget): Promise<void> {
    return this.#forward(exchange, { ...target, kubelet: false });
  }

  /** A request that asked for an upgrade: exec, attach and portforward, and websockets through proxies. */
  async upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    info: RequestInfo,
    descriptor: Descriptor,
    query: URLSearchParams,
    signal: AbortSignal,
  ): Promise<void> {
    const target =
      info.subresource === 'proxy'
        ? proxyTarget(this.#store, descriptor, info, request.url ?? '/')
        : this.#streamTarget(info, query);
    await tunnelUpgrade(request, socket, head, {
      url: target.url,
      ...(target.kubelet ? { tls: this.#tls } : {}),
      logger: this.#log,
      signal,
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #streamTarget(info: RequestInfo, query: URLSearchParams): ProxyTarget {
    const pod = this.#pod(info);
    const place = `${pod.metadata.namespace}/${pod.metadata.name}`;
    if (info.subresource === 'portforward') {
      const base = `https://${this.#kubeletOf(pod)}`;
      const ports = new URLSearchParams(query.getAll('ports').map((port): [string, string] => ['port', port]));
      return { url: new URL(`${base}/portForward/${place}?${ports}`), kubelet: true };
    }
    const container = podContainer(pod, query.get('container') ?? undefined);
    const base = `https://${this.#kubeletOf(pod)}`;
    const { phase } = pod.status;
    if (phase === 'Succeeded' || phase === 'Failed') {
      throw statusErrors.badRequest(`cannot exec into a container in a completed pod; current phase is ${phase}`);
    }
    const sent = new URLSearchParams();
    for (const command of query.getAll('command')) sent.append('command', command);
    for (const [name, value] of [
      ['stdin', 'input'],
      ['stdout', 'output'],
      ['stderr', 'error'],
      ['tty', 'tty'],
    ] as const) {
      if (/^(1|t|true)$/i.test(query.get(name) ?? '')) sent.set(value, '1');
    }
    return { url: new URL(`${base}/${info.subresource}/${place}/${container}?${sent}`), kubelet: true };
  }

  /** Undefined while the Pod has no node, and so no logs. */
  #logTarget(info: RequestInfo, query: URLSearchParams): ProxyTarget | undefined {
    const sent = kubeletLogQuery(query, info.name);
    const pod = this.#pod(info);
    const container = podContainer(pod, query.get('container') ?? undefined);
    if (!pod.spec.nodeName) return undefined;
    const base = `https://${this.#kubeletOf(pod)}`;
    const { namespace, name } = pod.metadata;
    return { url: new URL(`${base}/containerLogs/${namespace}/${name}/${container}?${sent}`), kubelet: true };
  }

  #pod(info: RequestInfo): Pod {
    const pod = this.#store.get(pods, info.name, info.namespace)?.object;
    if (pod === undefined) throw statusErrors.notFound(pods, info.name);
    return pod;
  }

  /** `host:port` of the kubelet a Pod runs under. */
  #kubeletOf(pod: Pod): string {
    const { nodeName } = pod.spec;
    if (!nodeName) {
      throw statusErrors.badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
    }
    const node = this.#store.get(nodes, nodeName)?.object;
    if (node === undefined) throw statusErrors.notFound(nodes, nodeName);
    const address = kubeletAddress(node);
    if (address === undefined) throw statusErrors.internalError(`node ${nodeName} has no InternalIP address`);
    return address;
  }

  /** Passes an answer on; links of pages that come through a proxy are made to lead back through it. */
  async #answer(
    { request, response, audit }: Exchange,
    { url, prefix }: ProxyTarget,
    answer: IncomingMessage,
  ): Promise<void> {
    const place = prefix === undefined ? undefined : { prefix, hosts: [url.host, hostOf(request)] };
    const rewriter = place === undefined ? undefined : await pageRewriter(answer.headers, place);
    response.statusCode = answer.statusCode ?? 502;
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value === undefined || DROPPED.has(name)) continue;
      if (rewriter !== undefined && BODY_HEADERS.has(name)) continue;
      // Who may read the answers is for this API to say, not for what is behind it.
      if (place !== undefined && name.startsWith('access-control-')) continue;
      response.setHeader(name, place !== undefined && name === 'location' ? rewriteLink(String(value), place) : value);
    }
    // Followed logs may be silent for long: the client has to see that it is connected.
    response.flushHeaders();
    audit?.started(response.statusCode);
    const body = rewriter === undefined ? answer : rewriter(answer);
    await new Promise<void>((resolve) => {
      body.pipe(response);
      body.on('error', () => response.destroy());
      body.on('close', resolve);
      response.on('close', () => answer.destroy());
    });
  }

  /** Sends the request on and its answer back, both as they come; `refuse` turns failures into API errors. */
  async #forward(
    exchange: Exchange,
    target: ProxyTarget & Partial<AggregatedTarget>,
    refuse?: typeof kubeletRefusal,
  ): Promise<void> {
    const { request, response, signal } = exchange;
    const secure = target.url.protocol === 'https:';
    const options = { method: request.method, headers: { ...forwardedHeaders(request), ...target.headers }, signal };
    const backend = secure
      ? requestHttps(target.url, {
          ...options,
          ...(target.kubelet ? { agent: this.#agent } : (target.tls ?? { rejectUnauthorized: false })),
        })
      : requestHttp(target.url, options);
    await new Promise<void>((resolve, reject) => {
      backend.on('error', (error) => {
        if (response.headersSent || signal.aborted) {
          response.destroy();
          resolve();
          return;
        }
        this.#log.warn('backend cannot be reached', { host: target.url.host, error: errorText(error) });
        reject(statusErrors.serviceUnavailable(`error trying to reach service: ${errorText(error)}`));
      });
      backend.on('response', (answer: IncomingMessage) => {
        if (refuse !== undefined && answer.statusCode !== 200) {
          text(answer).then(
            (words) => reject(refuse(answer.statusCode ?? 502, words.trim(), exchange.info.name)),
            reject,
          );
          return;
        }
        this.#answer(exchange, target, answer).then(resolve, reject);
      });
      request.pipe(backend);
    });
  }
}

/** Proxied paths are below a folder: a client that asked for the folder without its slash would get them wrong. */
function redirectedToFolder({ request, response }: Exchange, prefix: string): boolean {
  const { url = '', method } = request;
  const rest = url.slice(prefix.length);
  if ((method !== 'GET' && method !== 'HEAD') || (rest !== '' && !rest.startsWith('?'))) return false;
  response.writeHead(301, { location: `${prefix}/${rest}` }).end();
  return true;
}

const hostOf = ({ headers }: Request): string => headers.host ?? String(headers[':authority'] ?? '');

/** What a server behind a proxy is told of the request the proxy got. */
function reverseProxyHeaders({ headers, socket, url = '/' }: Request): Record<string, string> {
  const earlier = headers['x-forwarded-for'];
  const from = [...(earlier === undefined ? [] : [earlier].flat()), socket.remoteAddress ?? ''];
  return { 'x-forwarded-uri': url.replace(/\?.*$/s, ''), 'x-forwarded-for': from.join(', ') };
}

function agentFor(tls: KubeletTls): Agent {
  return new Agent({ ...tls, keepAlive: true, maxFreeSockets: 2, timeout: 60_000 });
}

/** The API's form of a kubelet's answer about the Pod `name` that is only text. */
export function kubeletRefusal(code: number, words: string, name: string): StatusError {
  if (code === 400) return statusErrors.badRequest(words);
  if (code === 404) return statusErrors.notFound(pods, name);
  return statusErrors.internalError(words);
}

function forwardedHeaders(request: Request): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || name.startsWith(':') || DROPPED.has(name) || FOREIGN.test(name)) continue;
    headers[name] = value;
  }
  return headers;
}
