import { percentiles } from '../../../packaging/dev/lib/benchmark.ts';
import { type Access, type Answer, ApiConnection } from './api-connection.ts';

/** One request of a load; `code` is what it has to be answered with. */
export interface LoadRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  /** JSON unless it is given. */
  readonly accept?: string;
  readonly code: number;
}

export interface LoadResult {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface LoadOptions {
  readonly connections: number;
  /** How many requests in all, or for how long. */
  readonly limit: { readonly requests: number } | { readonly seconds: number };
}

/**
 * Sends requests over `connections` keep-alive connections, on each the next as soon as the last is answered; `next`
 * makes the n-th request of the load. Fails when one is answered otherwise than it should be.
 */
export async function runLoad(
  access: Access,
  options: LoadOptions,
  next: (n: number) => LoadRequest,
): Promise<LoadResult> {
  const connections = await Promise.all(Array.from({ length: options.connections }, () => ApiConnection.open(access)));
  const times: number[] = [];
  let sent = 0;
  const begun = performance.now();
  const { limit } = options;
  const goesOn = (): boolean =>
    'requests' in limit ? sent < limit.requests : performance.now() - begun < limit.seconds * 1000;
  const finished = connections.map(
    (connection) =>
      new Promise<void>((resolve, reject) => {
        const sendNext = (): void => {
          if (!goesOn()) {
            resolve();
            return;
          }
          const { method, path, body = '', accept = 'application/json', code } = next(sent++);
          const start = performance.now();
          const answered = (answer: Answer): void => {
            times.push(performance.now() - start);
            if (answer.code === code) sendNext();
            else reject(new Error(`${method} ${path}: ${answer.code} ${answer.body.toString('utf8')}`));
          };
          connection.exchange(method, path, body, accept, answered, reject);
        };
        sendNext();
      }),
  );
  await Promise.all(finished);
  const perSecond = (times.length * 1000) / (performance.now() - begun);
  for (const connection of connections) connection.close();
  return { perSecond, ...percentiles(times) };
}
