import type { Worker } from 'node:worker_threads';
import { OperatorError } from '../../base/component.ts';
import { CompactedError, DatastoreError } from '../datastore.ts';
import { restoreDatabaseFiles } from './database-file.ts';
import type { CallName, Calls, FromWorker, Opened, Request, WireError, WorkerInput } from './protocol.ts';
import { startWorker } from './start-worker.ts';

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

type State = 'opening' | 'open' | 'closing' | 'dead';

/**
 * The main thread's end of the datastore worker: requests in, promises out. When the worker dies, everything that waits
 * and every later call rejects with DatastoreError `failed`, and `onDeath` is called once.
 */
export class WorkerLink {
  readonly #worker: Worker;
  readonly #onDeath: (error: DatastoreError) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #opening = Promise.withResolvers<Opened>();
  readonly #exited = Promise.withResolvers<void>();
  #state: State = 'opening';
  #nextId = 1;
  #death: DatastoreError | undefined;

  private constructor(worker: Worker, onDeath: (error: DatastoreError) => void) {
    this.#worker = worker;
    this.#onDeath = onDeath;
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('messageerror', (cause) => this.#die('the datastore worker sent an unreadable message', cause));
    worker.on('error', (cause) => this.#die('the datastore worker crashed', cause));
    worker.on('exit', (code) => {
      this.#die(`the datastore worker ended with code ${code}`);
      this.#exited.resolve();
    });
  }

  /** Starts the worker and waits until the database is open; throws OperatorError when it cannot be used. */
  static async start(
    input: WorkerInput,
    onDeath: (error: DatastoreError) => void,
  ): Promise<{ link: WorkerLink; opened: Opened }> {
    const link = new WorkerLink(startWorker(input), onDeath);
    try {
      return { link, opened: await link.#opening.promise };
    } catch (error) {
      await link.#exited.promise;
      restoreDatabaseFiles(input.path);
      throw error;
    }
  }

  /** Sends a request; memory in `transfer` is handed over. */
  call<Name extends CallName>(
    call: Name,
    args: Calls[Name]['args'],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Calls[Name]['result']> {
    if (this.#death !== undefined) return Promise.reject(this.#death);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve: (result) => resolve(result as Calls[Name]['result']), reject });
      this.#worker.postMessage({ id, call, args } as Request, transfer);
    });
  }

  /** Closes the database and waits for the end of the worker; throws when what was pending could not be written. */
  async close(): Promise<void> {
    if (this.#state === 'open') {
      const closed = this.call('close', {});
      this.#state = 'closing';
      await Promise.all([closed, this.#exited.promise]);
    }
    await this.#exited.promise;
  }

  /** Gives the worker up because of `error`: it ends without closing anything properly. */
  fail(error: DatastoreError): void {
    if (this.#state !== 'open') return;
    this.#end(error);
    void this.#worker.terminate();
  }

  #die(reason: string, cause?: unknown): void {
    this.#end(
      this.#state === 'closing'
        ? new DatastoreError('closed', 'the datastore is closed')
        : new DatastoreError('failed', reason, { cause }),
    );
  }

  #end(error: DatastoreError): void {
    const before = this.#state;
    if (before === 'dead') return;
    this.#state = 'dead';
    this.#death = error;
    this.#opening.reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    if (before === 'open') this.#onDeath(error);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'opened':
        this.#state = 'open';
        this.#opening.resolve(message.opened);
        break;
      case 'refused': {
        const { operator, message: text } = message;
        this.#opening.reject(operator ? new OperatorError(text) : new DatastoreError('failed', text));
        break;
      }
      case 'result':
        this.#take(message.id)?.resolve(message.result);
        break;
      case 'error':
        this.#take(message.id)?.reject(errorOf(message.error));
        break;
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

function errorOf(error: WireError): Error {
  return error.kind === 'compacted'
    ? new CompactedError(error.requested, error.floor)
    : new DatastoreError(error.code, error.message);
}
