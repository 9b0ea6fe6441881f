import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { formatYaml } from '../../apimachinery/yaml.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Requester } from '../../registry/descriptor.ts';
import type { RequestInfo } from '../request-info.ts';
import { JSON_TYPE, YAML_TYPE } from './negotiate.ts';

/** HTTP/2 requests come through Node's compatibility classes, which look the same for all that is used here. */
export type Request = IncomingMessage;
export type Response = ServerResponse;

/** The largest body upstream reads (limitedReadBody). */
const BODY_LIMIT_BYTES = 3 * 1024 * 1024;

/** One HTTP request on its way through the server. */
export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  readonly user: Requester;
  /** Texts for `Warning: 299` headers. */
  readonly warnings: string[];
  /** Aborts when the client goes away or the server stops. */
  readonly signal: AbortSignal;
}

/** Reads the whole body; throws RequestEntityTooLarge beyond 3 MiB. */
export async function readBody(request: Request): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  let tooLarge = false;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // The rest is read and dropped, so that the client gets to see the answer.
    if (size > BODY_LIMIT_BYTES) tooLarge = true;
    else chunks.push(chunk);
    if (size > 8 * BODY_LIMIT_BYTES) break;
  }
  if (tooLarge) throw statusErrors.requestEntityTooLarge(`limit is ${BODY_LIMIT_BYTES}`);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** `Warning: 299 - "text"`, quotes and backslashes escaped, control characters dropped. */
export function warningHeader(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a header
  const clean = text.replace(/[\u0000-\u001f\u007f]/g, ' ').replace(/["\\]/g, '\\$&');
  return `299 - "${clean}"`;
}

export interface BodyOptions {
  readonly code?: number;
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends a JSON document as JSON or YAML, indented when the client asked for `pretty`. */
export function sendDocument(exchange: Exchange, document: Buffer | object, options: BodyOptions = {}): void {
  const mediaType = options.mediaType ?? JSON_TYPE;
  const pretty = isPretty(exchange);
  let body: Buffer;
  if (mediaType === YAML_TYPE) {
    body = Buffer.from(formatYaml(Buffer.isBuffer(document) ? JSON.parse(document.toString('utf8')) : document));
  } else if (Buffer.isBuffer(document)) {
    body = pretty ? Buffer.from(JSON.stringify(JSON.parse(document.toString('utf8')), null, 2)) : document;
  } else {
    body = Buffer.from(pretty ? JSON.stringify(document, null, 2) : JSON.stringify(document));
  }
  sendBytes(exchange, body, { ...options, mediaType });
}

/** Sends bytes with their media type and the request's warnings. */
export function sendBytes(exchange: Exchange, body: Buffer, options: BodyOptions): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  response.statusCode = options.code ?? 200;
  response.setHeader('content-type', options.mediaType ?? JSON_TYPE);
  response.setHeader('cache-control', 'no-cache, private');
  response.setHeader('content-length', body.length);
  for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
  if (exchange.warnings.length > 0) response.setHeader('warning', exchange.warnings.map(warningHeader));
  if (exchange.request.method === 'HEAD') response.end();
  else response.end(body);
}

/** Sends a failure as a Status object; anything that is not a StatusError is logged and answered with 500. */
export function sendError(exchange: Exchange, error: unknown, log: Logger): void {
  let failure: StatusError;
  if (error instanceof StatusError) failure = error;
  else {
    log.error('request failed', { method: exchange.request.method, path: exchange.info.path, error: errorText(error) });
    log.debug('request failed', { stack: error instanceof Error ? error.stack : undefined });
    failure = statusErrors.internalError(errorText(error));
  }
  const retry = failure.status.details?.retryAfterSeconds;
  sendDocument(exchange, failure.status, {
    code: failure.code,
    ...(retry === undefined ? {} : { headers: { 'retry-after': String(retry) } }),
  });
}

function isPretty(exchange: Exchange): boolean {
  const asked = exchange.query.get('pretty');
  if (asked !== null) return asked !== 'false' && asked !== '0';
  const agent = String(exchange.request.headers['user-agent'] ?? '');
  return /^(curl|Wget|Mozilla)/.test(agent);
}
