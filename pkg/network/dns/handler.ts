import type { Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { continueAlias } from './alias.ts';
import { Forwarder } from './forwarder.ts';
import {
  adaptReply,
  type BadQuery,
  emptyReply,
  encodeReply,
  parseQuery,
  type Query,
  RCODES,
  type Reply,
  udpLimit,
} from './message.ts';
import { type ClusterZone, type Resolution, resolveClusterName } from './resolve.ts';
import type { Transport, Upstream } from './upstream-query.ts';

export interface DnsHandlerOptions {
  readonly zone: ClusterZone;
  /** Whether the cluster's objects are known: before that a missing name proves nothing. */
  readonly isSynced: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly forwarder?: Forwarder;
}

const TCP_LIMIT = 0xffff;
const CLASS_IN = 1;
const CLASS_ANY = 255;

/** From a client's message to the reply's bytes. */
export class DnsHandler {
  readonly #options: DnsHandlerOptions;
  readonly #forwarder: Forwarder;
  #turn = 0;

  constructor(options: DnsHandlerOptions) {
    this.#options = options;
    this.#forwarder = options.forwarder ?? new Forwarder(options);
  }

  setUpstreams(upstreams: readonly Upstream[]): void {
    this.#forwarder.setUpstreams(upstreams);
  }

  /** Undefined: the message deserves no answer. Never rejects. */
  async handle(message: Buffer, transport: Transport): Promise<Buffer | undefined> {
    const query = parseQuery(message);
    if (query === undefined) return undefined;
    if ('rcode' in query) return encodeReply(query, emptyReply(query.rcode), TCP_LIMIT);
    try {
      return await this.#answer(query, transport);
    } catch (error) {
      this.#options.log.error('a DNS question could not be answered', {
        name: query.question.name,
        type: query.question.type,
        error: errorText(error),
      });
      return encodeReply(query, emptyReply(RCODES.SERVFAIL), TCP_LIMIT);
    }
  }

  async #answer(query: Query, transport: Transport): Promise<Buffer> {
    const limit = transport === 'udp' ? udpLimit(query) : TCP_LIMIT;
    const { name, type, class: questionClass } = query.question;
    if (questionClass !== CLASS_IN && questionClass !== CLASS_ANY) return refuse(query, RCODES.REFUSED);
    const resolution = resolveClusterName(this.#options.zone, name, type);
    if (resolution !== undefined) return encodeReply(query, await this.#complete(query, resolution, transport), limit);
    const forwarded = await this.#forwarder.forward(query, transport);
    if (forwarded === undefined) return refuse(query, RCODES.SERVFAIL);
    return adaptReply(forwarded.message, query, forwarded.ttlOffsets, forwarded.age, limit);
  }

  async #complete(query: Query, resolution: Resolution, transport: Transport): Promise<Reply> {
    const { reply, continueWith } = resolution;
    if (reply.answers.length === 0 && !this.#options.isSynced()) return emptyReply(RCODES.SERVFAIL);
    if (continueWith !== undefined) return continueAlias(query, reply, continueWith, transport, this.#forwarder);
    return { ...reply, answers: this.#rotate(reply) };
  }

  /** Clients take the first address: each question finds another one there. */
  #rotate({ answers }: Reply): Reply['answers'] {
    const first = answers.findIndex(({ type }) => type !== 'CNAME');
    const count = answers.length - first;
    if (first < 0 || count < 2) return answers;
    this.#turn = (this.#turn + 1) % 0x10000;
    const turn = this.#turn % count;
    const rest = answers.slice(first);
    return [...answers.slice(0, first), ...rest.slice(turn), ...rest.slice(0, turn)];
  }
}

function refuse(query: Query | BadQuery, rcode: number): Buffer {
  return encodeReply(query, emptyReply(rcode), TCP_LIMIT);
}
