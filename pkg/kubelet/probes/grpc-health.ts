import { connect, constants } from 'node:http2';
import type { ProbeResult } from './prober.ts';

export interface GrpcHealthOptions {
  readonly host: string;
  readonly port: number;
  /** The service asked about; empty for the server as a whole. */
  readonly service: string;
  readonly signal: AbortSignal;
}

const SERVING = 1;

/** HealthCheckRequest{service = 1} in a gRPC frame. Names longer than a protobuf length byte do not occur. */
function requestFrame(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The status in a framed HealthCheckResponse{status = 1}; 0 (unknown) when it is left out. */
function statusIn(frame: Buffer): number {
  const message = frame.subarray(5);
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}

/** Asks a server by the gRPC health protocol, in clear text as upstream's gRPC probe does. */
export function checkGrpcHealth(options: GrpcHealthOptions): Promise<ProbeResult> {
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return new Promise((resolve) => {
    const session = connect(`http://${host}:${options.port}`);
    const finish = (result: ProbeResult): void => {
      options.signal.removeEventListener('abort', abort);
      session.destroy();
      resolve(result);
    };
    const fail = (output: string): void => finish({ verdict: 'failure', output });
    const abort = (): void =>
      fail(`timeout: failed to connect service "${host}:${options.port}" within the time limit`);
    options.signal.addEventListener('abort', abort, { once: true });
    session.on('error', (error) => fail(`error: ${error.message}`));
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.36',
    });
    const chunks: Buffer[] = [];
    let grpcStatus: unknown;
    stream.on('response', (headers) => {
      grpcStatus = headers['grpc-status'];
    });
    stream.on('trailers', (headers) => {
      grpcStatus = headers['grpc-status'] ?? grpcStatus;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error) => fail(`error: ${error.message}`));
    stream.on('end', () => {
      const status = statusIn(Buffer.concat(chunks));
      if (String(grpcStatus ?? '') !== '0')
        fail(`error: health rpc probe failed with status ${grpcStatus ?? 'unknown'}`);
      else if (status === SERVING) finish({ verdict: 'success', output: 'service healthy' });
      else fail(`service unhealthy (responded with "${status === 2 ? 'NOT_SERVING' : 'UNKNOWN'}")`);
    });
    stream.end(requestFrame(options.service));
  });
}
