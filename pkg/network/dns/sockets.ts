import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { OperatorError } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Transport } from './upstream-query.ts';

/** Answers one message; undefined: says nothing. Must not reject. */
export type Handler = (message: Buffer, transport: Transport) => Promise<Buffer | undefined>;

const MOST_CONNECTIONS = 256;
/** Bytes; the kernel gives what it allows. Questions of many Pods at once wait here while another part computes. */
const RECEIVE_BUFFER = 512 * 1024;
const IDLE_TIMEOUT_MS = 10_000;
/** Questions of one TCP connection that are worked on; further ones wait in the kernel. */
const MOST_PIPELINED = 32;

/** Serves DNS by UDP and TCP at one address. */
export class DnsSockets {
  readonly #handler: Handler;
  readonly #log: Logger;
  readonly #connections = new Set<Socket>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;

  constructor(handler: Handler, log: Logger) {
    this.#handler = handler;
    this.#log = log;
  }

  /** Throws OperatorError when another server has the port. */
  async listen(address: string, port: number): Promise<void> {
    try {
      const udp = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: RECEIVE_BUFFER });
      this.#udp = udp;
      udp.on('message', (message, peer) => void this.#answerDatagram(udp, message, peer.port, peer.address));
      udp.bind(port, address);
      await once(udp, 'listening');
      udp.on('error', (error) => this.#log.warn('DNS socket', { error: errorText(error) }));
      const tcp = createServer((socket) => this.#serve(socket));
      this.#tcp = tcp;
      tcp.maxConnections = MOST_CONNECTIONS;
      tcp.listen(port, address);
      await once(tcp, 'listening');
      tcp.on('error', (error) => this.#log.warn('DNS socket', { error: errorText(error) }));
    } catch (error) {
      await this.close();
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
      const remedy = 'let it listen on its own addresses only (dnsmasq: bind-interfaces), or start kedge with';
      throw new OperatorError(
        `cluster DNS: another name server has port ${port} of ${address}: ${remedy} --disable=coredns`,
      );
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    const [udp, tcp] = [this.#udp, this.#tcp];
    this.#udp = undefined;
    this.#tcp = undefined;
    // A socket whose bind failed has closed itself.
    if (udp !== undefined) await new Promise<void>((resolve) => closeUdp(udp, resolve));
    if (tcp !== undefined) await new Promise<void>((resolve) => tcp.close(() => resolve()));
  }

  async #answerDatagram(udp: UdpSocket, message: Buffer, port: number, address: string): Promise<void> {
    const reply = await this.#handler(message, 'udp');
    if (reply === undefined || this.#udp !== udp) return;
    udp.send(reply, port, address, (error) => {
      if (error) this.#log.debug('DNS reply not sent', { error: errorText(error) });
    });
  }

  /** RFC 7766: many questions by one connection, answered as they are ready. */
  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    let received: Buffer = Buffer.alloc(0);
    let working = 0;
    const work = async (message: Buffer): Promise<void> => {
      working += 1;
      const reply = await this.#handler(message, 'tcp');
      working -= 1;
      if (socket.destroyed) return;
      if (reply === undefined) {
        socket.destroy();
        return;
      }
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([length, reply]));
      if (working < MOST_PIPELINED) socket.resume();
    };
    socket.on('data', (chunk) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      while (received.length >= 2) {
        const end = 2 + received.readUInt16BE(0);
        if (received.length < end) break;
        void work(received.subarray(2, end));
        received = received.subarray(end);
      }
      if (working >= MOST_PIPELINED) socket.pause();
    });
  }
}

function closeUdp(udp: UdpSocket, done: () => void): void {
  try {
    udp.close(done);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_SOCKET_DGRAM_NOT_RUNNING')) throw error;
    done();
  }
}
