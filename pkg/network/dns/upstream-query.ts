import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

export type Transport = 'udp' | 'tcp';

/**
 * Sends one message to one upstream and resolves to its reply, the first one that `accepts` takes. Every query has a
 * socket of its own: its random port and the connection keep others from answering in the upstream's place. Rejects
 * when the upstream cannot be reached or says nothing within `timeoutMs`.
 */
export function queryUpstream(
  upstream: Upstream,
  transport: Transport,
  message: Buffer,
  accepts: (reply: Buffer) => boolean,
  timeoutMs: number,
): Promise<Buffer> {
  const query = transport === 'udp' ? queryByUdp : queryByTcp;
  return query(upstream, message, accepts, timeoutMs);
}

type Query = (
  upstream: Upstream,
  message: Buffer,
  accepts: (reply: Buffer) => boolean,
  timeoutMs: number,
) => Promise<Buffer>;

const queryByUdp: Query = ({ address, port }, message, accepts, timeoutMs) =>
  new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const end = (finish: () => void): void => {
      clearTimeout(limit);
      socket.removeAllListeners();
      // A late error of a socket that is being closed concerns nobody.
      socket.on('error', () => {});
      socket.close();
      finish();
    };
    const limit = setTimeout(() => end(() => reject(new Error(`${address} does not answer`))), timeoutMs);
    limit.unref();
    socket.on('error', (error) => end(() => reject(error)));
    socket.on('message', (reply) => {
      if (accepts(reply)) end(() => resolve(reply));
    });
    socket.connect(port, address, () => {
      socket.send(message, (error) => {
        if (error) end(() => reject(error));
      });
    });
  });

const queryByTcp: Query = ({ address, port }, message, accepts, timeoutMs) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    let received: Buffer = Buffer.alloc(0);
    const limit = setTimeout(() => socket.destroy(new Error(`${address} does not answer`)), timeoutMs);
    limit.unref();
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(limit);
      reject(new Error(`${address} closed the connection`));
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const reply = received.subarray(2, 2 + received.readUInt16BE(0));
      if (received.length < 2 + received.readUInt16BE(0)) return;
      if (accepts(reply)) resolve(reply);
      socket.destroy();
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.write(Buffer.concat([length, message]));
  });
