/** Entry of the datastore's worker thread: runs one LogEngine and answers the main thread's requests one at a time. */

import { parentPort, workerData } from 'node:worker_threads';
import { OperatorError } from '../../base/component.ts';
import { errorText } from '../../base/log.ts';
import { CompactedError, DatastoreError } from '../datastore.ts';
import { LogEngine } from './engine.ts';
import type { FromWorker, Request, WireError, WorkerInput } from './protocol.ts';

if (parentPort === null) throw new Error('the datastore worker was started outside of a worker thread');
const port = parentPort;
const { path } = workerData as WorkerInput;

const send = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

function wireError(error: unknown): WireError {
  if (error instanceof CompactedError) return { kind: 'compacted', requested: error.requested, floor: error.floor };
  const code = error instanceof DatastoreError ? error.code : 'failed';
  return { kind: 'datastore', code, message: errorText(error) };
}

/** A value's memory is handed over instead of copied: what the engine returns is not its own any more. */
function memoryOf(values: Iterable<Uint8Array | undefined>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const value of values) {
    if (value?.buffer instanceof ArrayBuffer && value.byteLength > 0) buffers.add(value.buffer);
  }
  return [...buffers];
}

/** Does what `request` asks for; gives the result and the memory to hand over with it. */
function perform(engine: LogEngine, request: Request): [result: unknown, transfer?: ArrayBuffer[]] {
  switch (request.call) {
    case 'write': {
      const result = engine.write(request.args.ops, request.args.values);
      return [result, memoryOf(result.outcomes.map((one) => (one.ok ? one.removed : one.current?.value)))];
    }
    case 'get': {
      const result = engine.get(request.args.key);
      return [result, memoryOf([result?.value])];
    }
    case 'list': {
      const result = engine.list(request.args);
      return [result, memoryOf(result.kvs.map((kv) => kv.value))];
    }
    case 'since': {
      const { prefix, revision, limit } = request.args;
      const result = engine.since(prefix, revision, limit);
      return [result, memoryOf(result.events.map((event) => event.value))];
    }
    case 'flush':
      engine.flush();
      return [{ pendingLazy: 0 }];
    case 'compact':
      return [engine.compact(request.args.to)];
    case 'stats':
      return [engine.stats()];
    case 'close':
      engine.close();
      return [undefined];
  }
}

function answer(engine: LogEngine, request: Request): void {
  try {
    const [result, transfer] = perform(engine, request);
    send({ kind: 'result', id: request.id, result }, transfer);
  } catch (error) {
    send({ kind: 'error', id: request.id, error: wireError(error) });
  }
  if (request.call === 'close') port.close();
}

function serve(): void {
  try {
    const engine = LogEngine.open(path);
    port.on('message', (request: Request) => answer(engine, request));
    send({ kind: 'opened', opened: engine.opened });
  } catch (error) {
    send({ kind: 'refused', operator: error instanceof OperatorError, message: errorText(error) });
    port.close();
  }
}

serve();
