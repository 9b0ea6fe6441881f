import type { KubeObject } from '../../api/types.ts';
import { type Status, StatusError } from '../../apimachinery/status-error.ts';
import type { Cancel, Clock } from '../../base/clock.ts';
import { LineSplitter } from './lines.ts';

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly endsInitialEvents: boolean };

/** A watch whose server has fallen silent: no event and no bookmark for longer than one takes to come. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
}

export interface WatchStreamOptions {
  readonly path: string;
  readonly clock: Clock;
  /** The longest silence, in ms. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

type OpenStream = (path: string, onData: (chunk: Buffer) => void, signal: AbortSignal) => Promise<void>;

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/**
 * Reads one watch until it ends. Rejects with StatusError for an ERROR event or a refusal, with StalledError after too
 * long a silence, and with what `open` rejects with. A line cut off by the end of the stream is no event: the version
 * to come back with is that of the last whole one.
 */
export async function readWatch<T extends KubeObject>(
  open: OpenStream,
  options: WatchStreamOptions,
  onEvent: (event: WatchEvent<T>) => void,
): Promise<void> {
  const { path, clock, stallMs, signal } = options;
  const stalled = new AbortController();
  let cancel: Cancel = () => {};
  const restart = (): void => {
    cancel();
    cancel = clock.setTimeout(() => stalled.abort(), stallMs);
  };
  const lines = new LineSplitter((line) => onEvent(parseEvent<T>(line)));
  restart();
  try {
    await open(
      path,
      (chunk) => {
        restart();
        lines.push(chunk);
      },
      AbortSignal.any([signal, stalled.signal]),
    );
  } finally {
    cancel();
  }
  if (stalled.signal.aborted && !signal.aborted) throw new StalledError(`nothing heard for ${stallMs / 1000} s`);
}

/** The event of a line; throws StatusError for an ERROR event, TypeError for what is no event. */
function parseEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  const { type, object } = JSON.parse(line) as { type?: string; object?: T | Status };
  if (typeof object !== 'object' || object === null) throw new TypeError('a watch event has no object');
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED': {
      const { metadata } = object as T;
      if (typeof metadata?.name !== 'string') throw new TypeError('the object of a watch event has no name');
      return { type, object: object as T };
    }
    case 'BOOKMARK': {
      const { resourceVersion = '', annotations } = (object as T).metadata;
      return { type, resourceVersion, endsInitialEvents: annotations?.[INITIAL_EVENTS_END] === 'true' };
    }
    case 'ERROR':
      throw new StatusError(object as Status);
    default:
      throw new TypeError(`unknown type of watch event: ${String(type)}`);
  }
}
