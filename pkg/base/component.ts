import { errorText, type Logger } from './log.ts';

/**
 * A part of kedge with a life cycle. `start` resolves when the component has begun its work and rejects when it
 * cannot; `ready` resolves when it is of use to others; `stop` resolves when it has let go of everything it held.
 * `signal` aborts when the process is asked to end.
 */
export interface Component {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/** Thrown for a failure the operator can mend: the message names the cause and the remedy in one line. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
}

/** Several components as one: started in order, stopped in reverse. */
export function together(name: string, components: readonly Component[]): Component {
  return {
    name,
    async start(signal) {
      for (const component of components) await component.start(signal);
    },
    async ready() {
      await Promise.all(components.map((component) => component.ready()));
    },
    async stop() {
      for (const component of components.toReversed()) await component.stop();
    },
  };
}

/** Starts components in order and stops them in reverse; a failed start stops what had been started. */
export class Supervisor {
  readonly #log: Logger;
  readonly #started: Component[] = [];
  readonly #abort = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Aborts when `stop` begins. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Starts `component` after those started before it, waiting until it is ready. Rejects once `stop` has begun. */
  async start(component: Component): Promise<void> {
    this.signal.throwIfAborted();
    this.#log.debug('starting', { component: component.name });
    this.#started.push(component);
    await component.start(this.signal);
    // What is to become ready may never do so: being asked to end has to go before it.
    await Promise.race([component.ready(), this.#stopped.promise]);
    this.signal.throwIfAborted();
    this.#log.debug('ready', { component: component.name });
  }

  /** Stops everything, last started first; a component that fails to stop does not keep the others from stopping. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#stopped.resolve();
    for (let component = this.#started.pop(); component !== undefined; component = this.#started.pop()) {
      try {
        await component.stop();
        this.#log.debug('stopped', { component: component.name });
      } catch (error) {
        this.#log.error('component did not stop cleanly', { component: component.name, error: errorText(error) });
      }
    }
  }
}
