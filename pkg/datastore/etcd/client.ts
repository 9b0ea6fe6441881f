import { connect, type SecureContext } from 'node:tls';
import { type Clock, systemClock } from '../../base/clock.ts';
import { GrpcChannel } from '../../grpc/channel.ts';
import { createCodec } from '../../grpc/codec.ts';
import type { MessageInitOf, MessageNameOf, MessageOf } from '../../grpc/schema.ts';
import { enums, messages } from './facts.ts';

const schema = { messages, enums };
type EtcdSchema = typeof schema;
const { encode, decode } = createCodec<EtcdSchema>(schema);

/** An etcd message as it is read. */
export type EtcdMessage<M extends MessageNameOf<EtcdSchema>> = MessageOf<EtcdSchema, M>;
/** An etcd message as it is written. */
export type EtcdRequest<M extends MessageNameOf<EtcdSchema>> = MessageInitOf<EtcdSchema, M>;

export interface EtcdClientOptions {
  /** `https://10.0.0.1:2379` */
  readonly endpoint: string;
  /** The client's certificate and the CA of the server's, asked for at each connection: they are renewed. */
  readonly secureContext: () => SecureContext;
  readonly clock?: Clock;
}

export interface EtcdCallOptions {
  /** Milliseconds until the call fails with `DEADLINE_EXCEEDED`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 5_000;
/** A page of lists may have many large values in it. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

const UNARY = {
  range: 'KV/Range',
  txn: 'KV/Txn',
  deleteRange: 'KV/DeleteRange',
  compaction: 'KV/Compact',
  memberList: 'Cluster/MemberList',
  memberAdd: 'Cluster/MemberAdd',
  memberPromote: 'Cluster/MemberPromote',
  memberRemove: 'Cluster/MemberRemove',
  status: 'Maintenance/Status',
} as const;

type Unary = keyof typeof UNARY;

/** One etcd server as its v3 API shows it, over mutual TLS. Every call rejects with GrpcError. */
export class EtcdClient {
  readonly endpoint: string;
  readonly #channel: GrpcChannel;

  constructor({ endpoint, secureContext, clock = systemClock }: EtcdClientOptions) {
    this.endpoint = endpoint;
    const { hostname, port } = new URL(endpoint);
    const host = hostname.replace(/^\[|\]$/g, '');
    this.#channel = new GrpcChannel({
      name: endpoint,
      connect: () => {
        const socket = connect({
          host,
          port: Number(port),
          ALPNProtocols: ['h2'],
          secureContext: secureContext(),
          minVersion: 'TLSv1.2',
        });
        socket.setNoDelay(true);
        return socket;
      },
      maxMessageBytes: MAX_MESSAGE_BYTES,
      clock,
    });
  }

  async call<M extends Unary>(
    method: M,
    request: EtcdRequest<`${Capitalize<M>}Request`>,
    options: EtcdCallOptions = {},
  ): Promise<EtcdMessage<`${Capitalize<M>}Response`>> {
    const name = `${method.charAt(0).toUpperCase()}${method.slice(1)}` as Capitalize<M>;
    const answer = await this.#channel.unary({
      method: `etcdserverpb.${UNARY[method]}`,
      request: encode<`${Capitalize<M>}Request`>(`${name}Request`, request),
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: options.signal,
    });
    return decode<`${Capitalize<M>}Response`>(`${name}Response`, answer);
  }

  /** The answers to one watch, the parts of a fragmented one put together, until `signal` aborts. */
  async *watch(
    create: EtcdRequest<'WatchCreateRequest'>,
    signal: AbortSignal,
  ): AsyncGenerator<EtcdMessage<'WatchResponse'>, void, undefined> {
    const stream = this.#channel.stream({
      method: 'etcdserverpb.Watch/Watch',
      request: encode('WatchRequest', { createRequest: { ...create, fragment: true } }),
      timeoutMs: Number.POSITIVE_INFINITY,
      keepOpen: true,
      signal,
    });
    let events: EtcdMessage<'Event'>[] = [];
    for await (const bytes of stream) {
      const response = decode('WatchResponse', bytes);
      events.push(...response.events);
      if (response.fragment) continue;
      yield { ...response, events };
      events = [];
    }
  }

  close(): void {
    this.#channel.close();
  }
}
