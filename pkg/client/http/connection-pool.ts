import type { Clock } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { UnreachableError } from './answer-error.ts';
import { Connection, type Credentials } from './connection.ts';

export interface ConnectionPoolOptions {
  readonly servers: readonly URL[];
  readonly ca: string;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const MOST_CONNECTIONS = 8;
/** Streams of a connection that watches leave to requests. */
const KEPT_FOR_REQUESTS = 50;

/**
 * The connections of one client: one as a rule, more when there are more watches than a connection carries. It stays
 * with the server that answers and goes to the next when that one cannot be reached.
 */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #connections = new Set<Connection>();
  readonly #onConnect = new Set<() => void>();
  #credentials: Credentials;
  #servers: readonly URL[];
  #preferred = 0;
  #connecting: Promise<Connection> | undefined;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
    this.#credentials = options.credentials;
    this.#servers = options.servers;
    options.signal.addEventListener('abort', () => this.destroy(), { once: true });
  }

  get credentials(): Credentials {
    return this.#credentials;
  }

  /** Connections that take requests. */
  get size(): number {
    return [...this.#connections].filter(({ state }) => state === 'open').length;
  }

  /** Calls `listener` whenever a server was reached anew. Returns the unsubscriber. */
  onConnect(listener: () => void): () => void {
    this.#onConnect.add(listener);
    return () => this.#onConnect.delete(listener);
  }

  /**
   * Calls `use` with a connection that has room for one more request or watch. Rejects with UnreachableError, and with
   * what `use` throws.
   */
  async with<R>(watch: boolean, use: (connection: Connection) => R): Promise<R> {
    for (;;) {
      if (this.#options.signal.aborted) throw new UnreachableError('the client is closed');
      const free = this.#free(watch);
      // At once, so that nobody else takes the same room.
      if (free !== undefined) return use(free);
      if (this.size >= MOST_CONNECTIONS) {
        throw new UnreachableError(`${MOST_CONNECTIONS} connections to the server are full`);
      }
      this.#connecting ??= this.#connect().finally(() => {
        this.#connecting = undefined;
      });
      await this.#connecting;
    }
  }

  /** From now on connections are made with `credentials`; those there are end when their requests are answered. */
  setCredentials(credentials: Credentials): void {
    this.#credentials = credentials;
    for (const connection of this.#connections) connection.retire();
  }

  /** From now on connections are made to these servers; those there are stay. */
  setServers(servers: readonly URL[]): void {
    const preferred = this.#servers[this.#preferred]?.href;
    this.#servers = servers;
    this.#preferred = Math.max(
      0,
      servers.findIndex(({ href }) => href === preferred),
    );
  }

  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #free(watch: boolean): Connection | undefined {
    for (const connection of this.#connections) {
      if (connection.state !== 'open') continue;
      const room = watch
        ? connection.watches < connection.capacity - KEPT_FOR_REQUESTS
        : connection.streams < connection.capacity;
      if (room) return connection;
    }
    return undefined;
  }

  async #connect(): Promise<Connection> {
    const { ca, clock, log, signal } = this.#options;
    const servers = this.#servers;
    const failures: string[] = [];
    for (let tries = 0; tries < servers.length; tries++) {
      const index = (this.#preferred + tries) % servers.length;
      const server = servers[index];
      const credentials = this.#credentials;
      if (server === undefined || signal.aborted) break;
      try {
        const connection = await Connection.open({ server, ca, credentials, clock, signal });
        this.#preferred = index;
        this.#add(connection);
        // Renewed while it was being made: it goes the way of the others.
        if (credentials !== this.#credentials) connection.retire();
        log.debug('connected', { server: server.host });
        return connection;
      } catch (error) {
        failures.push(errorText(error));
      }
    }
    throw new UnreachableError(signal.aborted ? 'the client is closed' : failures.join('; '));
  }

  #add(connection: Connection): void {
    this.#connections.add(connection);
    connection.onClose(() => this.#connections.delete(connection));
    for (const listener of [...this.#onConnect]) listener();
  }
}
