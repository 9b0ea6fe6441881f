import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiServerProcess } from './api-server.ts';

const ROUNDS = 55;
const WRITERS = 8;
/** Objects a writer leaves standing behind it; older ones it deletes. */
const STANDING = 20;
/** Longest time, in ms, from the round's first acknowledged write to the kill, or from the start of the process. */
const LONGEST_LIFE = { writing: 250, starting: 800 };
const FOLDER = '/api/v1/namespaces/default/configmaps';

/** An acknowledged write. */
interface Ack {
  /** What the object holds now; undefined: it was deleted. */
  readonly value: string | undefined;
  readonly resourceVersion: number;
}

interface ConfigMapLike {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data?: { readonly value?: string };
}

/** What one writer knows: what was acknowledged, and what the write under way, if any, would make. */
class Writer {
  readonly #server: ApiServerProcess;
  readonly #id: number;
  readonly acks = new Map<string, Ack>();
  /** The write that was sent and not acknowledged. */
  pending: { readonly name: string; readonly value: string | undefined } | undefined;
  #step = 0;

  constructor(server: ApiServerProcess, id: number) {
    this.#server = server;
    this.#id = id;
  }

  /** Writes until the server is gone: creates an object, updates it, deletes an old one, and so on. */
  async writeUntilKilled(acknowledged: (resourceVersion: number) => void): Promise<void> {
    try {
      for (;;) {
        await this.#writeOne(acknowledged);
        this.#step += 1;
      }
    } catch (error) {
      // Whatever a killed server makes of a connection; an answer that should not be fails the test.
      if (error instanceof assert.AssertionError) throw error;
      // The step under way may have been made: another name, so that its repetition is not refused.
      this.#step = (Math.floor(this.#step / 3) + 1) * 3;
    }
  }

  async #writeOne(acknowledged: (resourceVersion: number) => void): Promise<void> {
    const round = Math.floor(this.#step / 3);
    const kind = this.#step % 3;
    const name = kind === 2 ? this.#oldest() : `writer-${this.#id}-${round}`;
    if (name === undefined) return;
    const value =
      kind === 2 ? undefined : `${kind === 0 ? 'created' : 'updated'} ${round} ${'x'.repeat((round * 37) % 900)}`;
    this.pending = { name, value };
    const answer = await this.#server.send(request(kind, name, value));
    assert.equal(answer.status, kind === 0 ? 201 : 200, answer.text);
    const { metadata } = JSON.parse(answer.text) as ConfigMapLike;
    // A deletion answers with a Status, which names no revision.
    const resourceVersion = kind === 2 ? 0 : Number(metadata.resourceVersion);
    this.pending = undefined;
    this.acks.set(name, { value, resourceVersion });
    if (kind !== 2) acknowledged(resourceVersion);
  }

  #oldest(): string | undefined {
    const standing = [...this.acks].filter(([, ack]) => ack.value !== undefined);
    return standing.length > STANDING ? standing[0]?.[0] : undefined;
  }

  /** Compares with what the restarted server has, and takes over what the write under way has made. */
  check(found: ReadonlyMap<string, ConfigMapLike>): void {
    const { pending } = this;
    if (pending !== undefined) {
      const object = found.get(pending.name);
      if (object?.data?.value === pending.value) {
        const resourceVersion = Number(object?.metadata.resourceVersion ?? 0);
        this.acks.set(pending.name, { value: pending.value, resourceVersion });
      }
      this.pending = undefined;
    }
    for (const [name, ack] of this.acks) {
      const object = found.get(name);
      assert.equal(object?.data?.value, ack.value, `${name} is as its last acknowledged write left it`);
      if (object !== undefined) assert.equal(Number(object.metadata.resourceVersion), ack.resourceVersion);
      // Deletions are looked at once after their round: nothing makes these names again.
      if (ack.value === undefined) this.acks.delete(name);
    }
  }
}

function request(kind: number, name: string, value: string | undefined): Parameters<ApiServerProcess['send']>[0] {
  if (kind === 2) return { method: 'DELETE', path: `${FOLDER}/${name}` };
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } });
  const headers = { 'content-type': 'application/json' };
  return kind === 0
    ? { method: 'POST', path: FOLDER, headers, body }
    : { method: 'PUT', path: `${FOLDER}/${name}`, headers, body };
}

describe('an API server that is killed', () => {
  let server: ApiServerProcess;
  before(async () => {
    server = await ApiServerProcess.start();
  });
  after(() => server.stop());

  async function list(): Promise<{ revision: number; found: Map<string, ConfigMapLike> }> {
    const answer = await server.send({ method: 'GET', path: FOLDER });
    assert.equal(answer.status, 200, answer.text);
    const { metadata, items } = JSON.parse(answer.text) as {
      metadata: { resourceVersion: string };
      items: ConfigMapLike[];
    };
    return {
      revision: Number(metadata.resourceVersion),
      found: new Map(items.map((item) => [item.metadata.name, item])),
    };
  }

  test(`keeps every acknowledged write, ${ROUNDS} times`, async (t) => {
    const writers = Array.from({ length: WRITERS }, (_, id) => new Writer(server, id));
    const starts: number[] = [];
    let acknowledged = 0;
    let highest = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const before = highest;
      const seen = new Set<number>();
      const first = Promise.withResolvers<void>();
      const writing = writers.map((writer) =>
        writer.writeUntilKilled((resourceVersion) => {
          assert.ok(
            resourceVersion > before,
            `resourceVersion ${resourceVersion} was given out before, up to ${before}`,
          );
          assert.ok(!seen.has(resourceVersion), `resourceVersion ${resourceVersion} was given out twice`);
          seen.add(resourceVersion);
          highest = Math.max(highest, resourceVersion);
          first.resolve();
        }),
      );
      const written = Promise.all(writing);
      await Promise.race([first.promise, written]);
      await delay(Math.random() * LONGEST_LIFE.writing);
      await server.kill();
      await written;
      acknowledged += seen.size;
      if (round % 5 === 4) {
        // Killed again while it starts.
        await server.restart({ wait: false });
        await delay(Math.random() * LONGEST_LIFE.starting);
        await server.kill();
      }
      const begun = performance.now();
      await server.restart();
      starts.push(performance.now() - begun);
      const { revision, found } = await list();
      assert.ok(revision >= highest, `the newest revision is ${revision} after ${highest}`);
      highest = revision;
      for (const writer of writers) writer.check(found);
    }
    starts.sort((a, b) => a - b);
    const median = starts[Math.floor(starts.length / 2)] ?? 0;
    t.diagnostic(
      `${acknowledged} creations and updates acknowledged; kill to ready: median ${Math.round(median)} ms, longest ${Math.round(starts.at(-1) ?? 0)} ms`,
    );
    assert.ok(acknowledged > ROUNDS * WRITERS);
  });
});
