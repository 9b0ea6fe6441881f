import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { constants, createGzip, type Gzip, gzip } from 'node:zlib';
import type { JsonObject, StructSchema } from '../../api/schema.ts';
import { encodeProtobuf, schemaOfKind } from '../../apimachinery/protobuf/envelope.ts';
import { StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { formatYaml } from '../../apimachinery/yaml.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import type { AuditRecord } from '../audit/record.ts';
import type { RequestInfo } from '../request-info.ts';
import { datastoreFailure } from '../storage/datastore-failure.ts';
import { JSON_TYPE, negotiatePlain, PROTOBUF_TYPE, YAML_TYPE } from './negotiate.ts';
import { type PiecedDocument, wholeOf } from './pieced-document.ts';
import { warningHeaders } from './warnings.ts';

/** HTTP/2 requests come through Node's compatibility classes, which look the same for all that is used here. */
export type Request = IncomingMessage;
export type Response = ServerResponse;

/** The largest body upstream reads (limitedReadBody). */
const BODY_LIMIT_BYTES = 3 * 1024 * 1024;

/** Smaller answers are sent as they are: compressing would cost more than it saves. */
const GZIP_THRESHOLD_BYTES = 128 * 1024;

/** One HTTP request on its way through the server. */
export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  readonly user: UserInfo;
  /** Takes down what the request does; undefined when nobody wants to know. */
  readonly audit?: AuditRecord | undefined;
  /** Texts for `Warning: 299` headers. */
  readonly warnings: string[];
  /** Aborts when the client goes away or the server stops. */
  readonly signal: AbortSignal;
}

/** Reads the whole body; throws RequestEntityTooLarge beyond 3 MiB, BadRequest when the client broke off. */
export async function readBody(request: Request): Promise<Buffer> {
  try {
    return await readAll(request);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw statusErrors.badRequest(`unexpected EOF: ${errorText(error)}`);
  }
}

/** By events: iterating over the stream costs more than all else that is done to a small body. */
function readAll(request: Request): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    // The rest is read and dropped, so that the client gets to see the answer.
    if (size <= BODY_LIMIT_BYTES) chunks.push(chunk);
    else chunks.length = 0;
    if (size > 8 * BODY_LIMIT_BYTES) request.destroy();
  });
  // Who is gone already says nothing any more.
  if (request.destroyed) reject(new Error('the connection was closed'));
  const tooLarge = (): boolean => size > BODY_LIMIT_BYTES;
  const refuse = (): void => reject(statusErrors.requestEntityTooLarge(`limit is ${BODY_LIMIT_BYTES}`));
  let ended = false;
  request.once('end', () => {
    ended = true;
    if (tooLarge()) refuse();
    else resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size));
  });
  request.once('error', reject);
  request.once('close', () => {
    // Not to make an error, with its stack, that nobody would see.
    if (ended) return;
    if (tooLarge()) refuse();
    else reject(new Error('the connection was closed'));
  });
  return promise;
}

export interface BodyOptions {
  readonly code?: number;
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Sends a document (or its JSON text) as JSON, YAML or protobuf; JSON is indented when the client asked for `pretty`.
 * Throws NotAcceptable when its kind has no protobuf form.
 */
export function sendDocument(
  exchange: Exchange,
  document: Buffer | object,
  options: BodyOptions & { readonly pretty?: boolean } = {},
): void {
  const { mediaType = JSON_TYPE, pretty = isPretty(exchange), ...rest } = options;
  exchange.audit?.response(document);
  sendBytes(exchange, encodeDocument(document, mediaType, pretty), { ...rest, mediaType });
}

function encodeDocument(document: Buffer | object, mediaType: string, pretty: boolean): Buffer {
  const asObject = (): JsonObject =>
    (Buffer.isBuffer(document) ? JSON.parse(document.toString('utf8')) : document) as JsonObject;
  if (mediaType === YAML_TYPE) return Buffer.from(formatYaml(asObject()));
  if (mediaType === PROTOBUF_TYPE) return protobufOf(asObject());
  if (pretty) return Buffer.from(JSON.stringify(asObject(), null, 2));
  // What is not indented ends with a line feed; lists have theirs already.
  if (!Buffer.isBuffer(document)) return Buffer.from(`${JSON.stringify(document)}\n`);
  return document.at(-1) === LINE_FEED[0] ? document : Buffer.concat([document, LINE_FEED]);
}

const LINE_FEED = Buffer.from('\n');

/** The protobuf document of an object of a built-in kind; throws NotAcceptable for other objects. */
export function protobufOf(object: JsonObject): Buffer {
  return encodeProtobuf(object, protobufSchema(String(object['apiVersion'] ?? ''), String(object['kind'] ?? '')));
}

/** The schema that objects of a built-in kind are written in protobuf by; throws NotAcceptable for other kinds. */
export function protobufSchema(apiVersion: string, kind: string): StructSchema {
  const schema = schemaOfKind(apiVersion, kind);
  if (schema !== undefined) return schema;
  throw statusErrors.notAcceptableTransform(
    `object *${kind} does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message`,
  );
}

/** Sends a document piece by piece: a list of megabytes takes not much more memory than one piece of it. */
export async function sendPieces(exchange: Exchange, document: PiecedDocument, mediaType: string): Promise<void> {
  const { request, response } = exchange;
  const { length } = document;
  if (length <= GZIP_THRESHOLD_BYTES || request.method === 'HEAD') {
    sendBytes(exchange, wholeOf(document), { mediaType });
    return;
  }
  if (response.headersSent || response.destroyed) return;
  writeHeaders(exchange, { mediaType });
  dropBody(request);
  const packer = acceptsGzip(request) ? packInto(response) : undefined;
  if (packer === undefined) response.setHeader('content-length', length);
  const target: Writable = packer ?? response;
  const gone = new Promise<void>((resolve) => response.once('close', resolve));
  for (const piece of document.pieces) {
    const sent = new Promise<void>((resolve) => target.write(piece, () => resolve()));
    await Promise.race([sent, gone]);
    // The piece may still be read from: its room is not given back.
    if (response.destroyed) return;
  }
  target.end();
  document.release();
}

/** Compresses what is written, off the event loop, and sends it. */
function packInto(response: Response): Gzip {
  response.setHeader('content-encoding', 'gzip');
  response.appendHeader('vary', 'Accept-Encoding');
  const packer = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: PACKED_BYTES });
  packer.once('error', () => response.destroy());
  response.once('close', () => packer.destroy());
  packer.pipe(response);
  return packer;
}

/** In pieces of this size compressed text is sent. */
const PACKED_BYTES = 64 * 1024;

/** Sends bytes with their media type and the request's warnings; large ones are compressed if the client takes that. */
export function sendBytes(exchange: Exchange, body: Buffer, options: BodyOptions): void {
  const { request, response } = exchange;
  if (response.headersSent || response.destroyed) return;
  writeHeaders(exchange, options);
  if (body.length <= GZIP_THRESHOLD_BYTES || !acceptsGzip(request)) {
    finish(exchange, body);
    return;
  }
  // Off the event loop: a list of megabytes takes long enough to hold everybody else up.
  gzip(body, { level: constants.Z_BEST_SPEED }, (error, packed) => {
    if (error === null) {
      response.setHeader('content-encoding', 'gzip');
      response.appendHeader('vary', 'Accept-Encoding');
    }
    finish(exchange, error === null ? packed : body);
  });
}

function writeHeaders({ response, warnings }: Exchange, options: BodyOptions): void {
  response.statusCode = options.code ?? 200;
  response.setHeader('content-type', options.mediaType ?? JSON_TYPE);
  response.setHeader('cache-control', 'no-cache, private');
  for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
  if (warnings.length > 0) response.setHeader('warning', warningHeaders(warnings));
}

function finish({ request, response }: Exchange, body: Buffer): void {
  if (response.destroyed) return;
  dropBody(request);
  response.setHeader('content-length', body.length);
  if (request.method === 'HEAD') response.end();
  else response.end(body);
}

/** A body that nobody reads counts against its HTTP/2 session, until that takes no more requests. */
function dropBody(request: Request): void {
  if (request.readableFlowing === null) request.resume();
}

function acceptsGzip(request: Request): boolean {
  const accepted = String(request.headers['accept-encoding'] ?? '').split(',');
  return accepted.some((coding) => coding.split(';')[0]?.trim() === 'gzip');
}

/** Sends plain text that no browser takes for a page. */
export function sendText(exchange: Exchange, code: number, body: string): void {
  const headers = { 'x-content-type-options': 'nosniff' };
  sendBytes(exchange, Buffer.from(body), { code, mediaType: 'text/plain; charset=utf-8', headers });
}

/** The answer for paths that nobody serves, which is no Status. */
export const sendPlainNotFound = (exchange: Exchange): void => sendText(exchange, 404, '404 page not found\n');

/** Sends a failure as a Status object in a form the client accepts, JSON if there is none; anything that is not a StatusError is logged and answered with 500. */
export function sendError(exchange: Exchange, error: unknown, log: Logger): void {
  let failure = error instanceof StatusError ? error : datastoreFailure(error);
  if (failure === undefined) {
    log.error('request failed', { method: exchange.request.method, path: exchange.info.path, error: errorText(error) });
    log.debug('request failed', { stack: error instanceof Error ? error.stack : undefined });
    exchange.audit?.panic(errorText(error));
    failure = statusErrors.internalError(errorText(error));
  }
  const retry = failure.status.details?.retryAfterSeconds;
  const mediaType = negotiatePlain(exchange.request.headers.accept);
  sendDocument(exchange, failure.status, {
    code: failure.code,
    // Who understands nothing of what there is may be a person.
    ...(mediaType === undefined ? { pretty: true } : { mediaType }),
    ...(retry === undefined ? {} : { headers: { 'retry-after': String(retry) } }),
  });
}

/** Go's words for yes. */
const YES: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

/** Whether the client wants JSON for people. */
export function isPretty(exchange: Exchange): boolean {
  const asked = exchange.query.get('pretty') ?? '';
  if (asked !== '') return YES.has(asked);
  const agent = String(exchange.request.headers['user-agent'] ?? '');
  return /^(curl|Wget|Mozilla\/5\.0)/.test(agent);
}
