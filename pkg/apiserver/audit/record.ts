import type { Json, JsonObject } from '../../api/schema.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import { formatMicroTime } from '../../apimachinery/time.ts';
import type { Clock } from '../../base/clock.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import type { RequestInfo } from '../request-info.ts';
import type { AuditDecision, AuditStage } from './policy.ts';

/** A request, as far as its events tell of it. */
export interface AuditedRequest {
  readonly id: string;
  /** Path and query as the client sent them. */
  readonly uri: string;
  readonly info: Omit<RequestInfo, 'rest' | 'watchPrefix'>;
  /** Undefined when it is not known who asks. */
  readonly user: UserInfo | undefined;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
}

export interface RecordOptions {
  readonly decision: AuditDecision;
  readonly clock: Clock;
  /** Takes an event as the text of its JSON. */
  readonly emit: (event: string) => void;
}

const MOST_AGENT_LENGTH = 1024;

/**
 * The events of one request, in the form of `audit.k8s.io/v1`. Objects are turned into text when they are given: they
 * change on their way through the server.
 */
export class AuditRecord {
  readonly #request: AuditedRequest;
  readonly #options: RecordOptions;
  readonly #received: number;
  readonly #annotations: Record<string, string> = {};
  #impersonated: UserInfo | undefined;
  /** What the request's object tells of the object it is about. */
  #reference: { name?: string; namespace?: string; uid?: string; resourceVersion?: string } = {};
  #requestObject: string | undefined;
  #responseObject: string | undefined;
  #status: JsonObject | undefined;
  #started = false;
  #ended = false;

  constructor(request: AuditedRequest, options: RecordOptions) {
    this.#request = request;
    this.#options = options;
    this.#received = options.clock.now();
  }

  /** Stage RequestReceived. */
  received(): void {
    this.#emit('RequestReceived');
  }

  impersonating(user: UserInfo): void {
    this.#impersonated = user;
  }

  annotate(key: string, value: string): void {
    this.#annotations[key] = value;
  }

  /** The object that the request's body held, with its defaults. */
  request(object: JsonObject): void {
    const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
    const text = (name: string): string => (typeof metadata[name] === 'string' ? metadata[name] : '');
    this.#reference = {
      name: text('name'),
      namespace: text('namespace'),
      uid: text('uid'),
      resourceVersion: text('resourceVersion'),
    };
    this.raw(object);
  }

  /** A body that is no object of the resource: a patch, or options. */
  raw(body: Json): void {
    const { level, omitManagedFields } = this.#options.decision;
    if (level !== 'Request' && level !== 'RequestResponse') return;
    this.#requestObject = JSON.stringify(omitManagedFields ? withoutManagedFields(body) : body);
  }

  /** The answer, before it is encoded: a document or the text of its JSON. */
  response(document: Buffer | object): void {
    if (!Buffer.isBuffer(document) && isStatus(document)) this.#status = document;
    if (this.#options.decision.level !== 'RequestResponse') return;
    const text = Buffer.isBuffer(document) ? document.toString('utf8') : JSON.stringify(document);
    this.#responseObject = this.#options.decision.omitManagedFields
      ? JSON.stringify(withoutManagedFields(JSON.parse(text) as Json))
      : text;
  }

  /** Stage ResponseStarted, of requests whose answer goes on for long; told once. */
  started(code: number): void {
    if (this.#started) return;
    this.#started = true;
    this.#emit('ResponseStarted', code);
  }

  /** Stage ResponseComplete: nothing more follows. */
  complete(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#emit('ResponseComplete', code);
  }

  /** Stage Panic, in place of ResponseComplete: the server has failed, not the request. */
  panic(text: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#status = { status: 'Failure', message: `APIServer panic'd: ${text}`, reason: 'InternalError' };
    this.#emit('Panic', 500);
  }

  #emit(stage: AuditStage, code?: number): void {
    const { decision, clock, emit } = this.#options;
    if (decision.omitStages.has(stage)) return;
    const { id, uri, info, user, sourceIPs, userAgent } = this.#request;
    const fields: [string, string | undefined][] = [
      ['kind', '"Event"'],
      ['apiVersion', '"audit.k8s.io/v1"'],
      ['level', JSON.stringify(decision.level)],
      ['auditID', JSON.stringify(id)],
      ['stage', JSON.stringify(stage)],
      ['requestURI', JSON.stringify(uri)],
      ['verb', JSON.stringify(info.verb)],
      ['user', JSON.stringify(userFields(user))],
      ['impersonatedUser', this.#impersonated && JSON.stringify(userFields(this.#impersonated))],
      ['sourceIPs', sourceIPs.length === 0 ? undefined : JSON.stringify(sourceIPs)],
      ['userAgent', userAgent === '' ? undefined : JSON.stringify(agentText(userAgent))],
      ['objectRef', info.isResource ? JSON.stringify(this.#objectRef()) : undefined],
      ['responseStatus', code === undefined ? undefined : JSON.stringify(this.#responseStatus(code))],
      ['requestObject', this.#requestObject],
      ['responseObject', this.#responseObject],
      ['requestReceivedTimestamp', JSON.stringify(formatMicroTime(this.#received))],
      ['stageTimestamp', JSON.stringify(formatMicroTime(clock.now()))],
      [
        'annotations',
        Object.keys(this.#annotations).length === 0 ? undefined : JSON.stringify(sorted(this.#annotations)),
      ],
    ];
    const given = fields.filter(([, text]) => text !== undefined);
    emit(`{${given.map(([name, text]) => `"${name}":${text}`).join(',')}}`);
  }

  #objectRef(): JsonObject {
    const { resource, namespace, name, group, version, subresource } = this.#request.info;
    const known = this.#reference;
    return withoutEmpty({
      resource,
      namespace: namespace || known.namespace,
      name: name || known.name,
      uid: known.uid,
      apiGroup: group,
      apiVersion: version,
      resourceVersion: known.resourceVersion,
      subresource,
    });
  }

  #responseStatus(code: number): JsonObject {
    const { status, message, reason, details } = this.#status ?? {};
    return { metadata: {}, ...withoutEmpty({ status, message, reason, details }), code };
  }
}

function userFields(user: UserInfo | undefined): JsonObject {
  if (user === undefined) return {};
  const { name, uid, groups, extra } = user;
  return withoutEmpty({
    username: name,
    uid,
    groups: groups.length === 0 ? undefined : [...groups],
    extra: extra === undefined || Object.keys(extra).length === 0 ? undefined : (extra as unknown as JsonObject),
  });
}

const withoutEmpty = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined && value !== ''));

const sorted = (texts: Readonly<Record<string, string>>): JsonObject =>
  Object.fromEntries(Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1)));

const agentText = (agent: string): string =>
  agent.length <= MOST_AGENT_LENGTH ? agent : `${agent.slice(0, MOST_AGENT_LENGTH)}...TRUNCATED`;

function isStatus(document: object): document is JsonObject {
  const { kind, apiVersion } = document as { kind?: unknown; apiVersion?: unknown };
  return kind === 'Status' && apiVersion === 'v1';
}

/** The object, or each object of a list, without metadata.managedFields. */
function withoutManagedFields(value: Json): Json {
  if (!isJsonObject(value)) return value;
  const { metadata, items } = value;
  const changed: JsonObject = { ...value };
  if (isJsonObject(metadata)) {
    const { managedFields: _, ...rest } = metadata;
    changed['metadata'] = rest;
  }
  if (Array.isArray(items)) changed['items'] = items.map(withoutManagedFields);
  return changed;
}
