import { connect } from 'node:net';
import { type Clock, systemClock } from '../base/clock.ts';
import { GrpcChannel } from '../grpc/channel.ts';
import { decode, encode } from './codec.ts';
import { containerEvents } from './container-events.ts';
import type { MessageName } from './facts.ts';
import {
  type CallOptions,
  IMAGE_METHODS,
  type ImageService,
  RUNTIME_METHODS,
  type RuntimeService,
} from './services.ts';

export interface CriClientOptions {
  /** Path of the runtime's unix socket. */
  readonly socketPath: string;
  readonly clock?: Clock;
}

/** A connection to a container runtime. It reconnects by itself; calls made while the runtime is away fail. */
export interface CriClient {
  readonly runtime: RuntimeService;
  readonly images: ImageService;
  /** Closes the connection; calls in progress fail with `UNAVAILABLE`. */
  close(): void;
}

const DEFAULT_TIMEOUT = 120_000;
/** Setting up a sandbox's network may take long; upstream's kubelet doubles the time as well. */
const RUN_SANDBOX_TIMEOUT = 2 * DEFAULT_TIMEOUT;

type Timed = { readonly timeout?: number | undefined };

/** Milliseconds a method gets when the caller does not say. */
function defaultTimeout(method: string, request: Timed): number {
  const seconds = request.timeout ?? 0;
  switch (method) {
    case 'RunPodSandbox':
      return RUN_SANDBOX_TIMEOUT;
    case 'StopContainer':
      return DEFAULT_TIMEOUT + seconds * 1000;
    case 'ExecSync':
      return seconds > 0 ? DEFAULT_TIMEOUT + seconds * 1000 : Infinity;
    case 'PullImage':
      return Infinity;
    default:
      return DEFAULT_TIMEOUT;
  }
}

function uncapitalize(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** The unary `methods` of `service` as functions; the messages' names follow from the method's. */
function unaryMethods(channel: GrpcChannel, service: string, methods: readonly string[]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name of methods) {
    const requestName = `${name}Request` as MessageName;
    const responseName = `${name}Response` as MessageName;
    result[uncapitalize(name)] = async (request: Timed, options: CallOptions = {}) => {
      const bytes = await channel.unary({
        method: `runtime.v1.${service}/${name}`,
        request: encode(requestName, request),
        timeoutMs: options.timeoutMs ?? defaultTimeout(name, request),
        signal: options.signal,
      });
      return decode(responseName, bytes);
    };
  }
  return result;
}

/** A client of the CRI v1 runtime listening on `options.socketPath`; it connects at the first call. */
export function createCriClient(options: CriClientOptions): CriClient {
  const clock = options.clock ?? systemClock;
  const { socketPath } = options;
  const channel = new GrpcChannel({ name: socketPath, connect: () => connect(socketPath), clock });
  // The interfaces are derived from the same two lists of methods.
  const runtime = unaryMethods(channel, 'RuntimeService', RUNTIME_METHODS) as unknown as RuntimeService;
  const images = unaryMethods(channel, 'ImageService', IMAGE_METHODS) as unknown as ImageService;
  return {
    runtime: { ...runtime, containerEvents: (events) => containerEvents({ channel, runtime, clock }, events) },
    images,
    close: () => channel.close(),
  };
}
