import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { encodeQuery, parseUpstreamReply, type Query, RCODES, type UpstreamReply } from './message.ts';
import { ReplyCache } from './reply-cache.ts';
import { queryUpstream, type Transport, type Upstream } from './upstream-query.ts';

export interface Forwarded {
  readonly message: Buffer;
  readonly ttlOffsets: readonly number[];
  /** Seconds since it was received. */
  readonly age: number;
}

export interface ForwarderOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly query?: typeof queryUpstream;
  /** For one upstream, ms. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 1500;
/** Rounds through the upstreams before giving up: a lost datagram is no lost upstream. */
const ROUNDS = 2;
/** Within the five seconds a resolver waits. */
const DEADLINE_MS = 4500;
const MOST_IN_FLIGHT = 512;
const LONGEST_TTL = 3600;
const LONGEST_NEGATIVE_TTL = 30;
/** After its last log line about upstreams it stays silent for so long, ms. */
const LOG_INTERVAL_MS = 60_000;

/**
 * Asks upstreams for what the cluster does not know, remembering their replies as long as these allow. Equal questions
 * at the same time are one query. Upstreams are asked in the order given, the last one that answered first.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #cache: ReplyCache;
  readonly #inFlight = new Map<string, Promise<Forwarded | undefined>>();
  #upstreams: readonly Upstream[] = [];
  #lastComplaint = Number.NEGATIVE_INFINITY;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#cache = new ReplyCache(options.clock);
  }

  /** From now on these are asked. What others said is forgotten: another network may have other names. */
  setUpstreams(upstreams: readonly Upstream[]): void {
    this.#upstreams = upstreams;
    this.#cache.clear();
  }

  /** Resolves to an upstream's reply, undefined when none could be had. */
  async forward(query: Query, transport: Transport): Promise<Forwarded | undefined> {
    const { question, edns, flags } = query;
    const variant = `${edns === undefined ? '' : edns.dnssecOk ? 'do' : 'e'}${flags & 0x10}`;
    const key = `${question.name} ${question.type} ${question.class} ${variant}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) {
      return { ...cached, age: Math.floor((this.#options.clock.now() - cached.storedAt) / 1000) };
    }
    const flight = `${transport} ${key}`;
    const running = this.#inFlight.get(flight);
    if (running !== undefined) return running;
    if (this.#upstreams.length === 0 || this.#inFlight.size >= MOST_IN_FLIGHT) return undefined;
    const started = this.#ask(query, transport, key).finally(() => this.#inFlight.delete(flight));
    this.#inFlight.set(flight, started);
    return started;
  }

  async #ask(query: Query, transport: Transport, key: string): Promise<Forwarded | undefined> {
    const { clock } = this.#options;
    const deadline = clock.now() + DEADLINE_MS;
    let failure: Forwarded | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      const unreachable = new Set<Upstream>();
      for (const upstream of this.#upstreams) {
        const timeout = Math.min(this.#options.timeoutMs ?? TIMEOUT_MS, deadline - clock.now());
        if (timeout <= 0) return failure;
        try {
          const { message, parsed } = await this.#askOne(upstream, transport, query, timeout);
          const reply = { message, ttlOffsets: parsed.ttlOffsets, age: 0 };
          if (parsed.rcode === RCODES.SERVFAIL || parsed.rcode === RCODES.REFUSED) {
            failure = reply;
            continue;
          }
          this.#prefer(upstream);
          const longest = parsed.rcode === RCODES.NXDOMAIN ? LONGEST_NEGATIVE_TTL : LONGEST_TTL;
          this.#cache.put(key, message, parsed.ttlOffsets, Math.min(parsed.ttl, longest));
          return reply;
        } catch (error) {
          this.#complain(upstream, error);
          if (error instanceof Error && 'code' in error) unreachable.add(upstream);
        }
      }
      // What the kernel refuses at once it will refuse again: a host without a network answers without delay.
      if (failure !== undefined || unreachable.size === this.#upstreams.length) return failure;
    }
    return failure;
  }

  async #askOne(
    upstream: Upstream,
    transport: Transport,
    query: Query,
    timeoutMs: number,
  ): Promise<{ message: Buffer; parsed: UpstreamReply }> {
    const id = randomInt(0x10000);
    let parsed: UpstreamReply | undefined;
    const accepts = (reply: Buffer): boolean => {
      parsed = parseUpstreamReply(reply, id, query.question);
      return parsed !== undefined;
    };
    const ask = this.#options.query ?? queryUpstream;
    const message = await ask(upstream, transport, encodeQuery(id, query), accepts, timeoutMs);
    if (parsed === undefined) throw new Error(`${upstream.address} answered another question`);
    return { message, parsed };
  }

  #prefer(upstream: Upstream): void {
    const [first] = this.#upstreams;
    if (first === upstream || !this.#upstreams.includes(upstream)) return;
    this.#upstreams = [upstream, ...this.#upstreams.filter((other) => other !== upstream)];
  }

  #complain(upstream: Upstream, error: unknown): void {
    const { clock, log } = this.#options;
    if (clock.now() - this.#lastComplaint < LOG_INTERVAL_MS) return;
    this.#lastComplaint = clock.now();
    log.warn('an upstream name server fails', { upstream: upstream.address, error: errorText(error) });
  }
}
