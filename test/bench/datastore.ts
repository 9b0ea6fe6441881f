import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@libsql/client/sqlite3';
import type { Benchmark } from '../../packaging/dev/lib/benchmark.ts';
import { FakeClock, systemClock } from '../../pkg/base/clock.ts';
import { type LibsqlDatastore, openLibsqlDatastore } from '../../pkg/datastore/libsql/libsql-datastore.ts';
import { testOptions } from '../../pkg/datastore/libsql/testing.ts';

/** Size of a stored object, bytes: about a Pod with its status. */
const VALUE_BYTES = 2048;
/** Objects listed and read. */
const OBJECTS = 10_000;

interface DatastoreFigures {
  /** Commits of one row per second of libSQL alone on its thread, synchronous=FULL: the disk's limit for one writer. */
  readonly rawCommitsPerSecond: number;
  /** Durable creates per second by number of concurrent writers. */
  readonly writes: readonly { readonly writers: number; readonly perSecond: number; readonly perCommit: number }[];
  /** How late the main thread's timers were at 200 writers, ms: 99th percentile. */
  readonly mainThreadDelayMs: number;
  readonly getsPerSecond: number;
  /** Time to list OBJECTS objects, ms. */
  readonly listMs: number;
  /** Opening a database of OBJECTS objects, ms. */
  readonly openMs: number;
  /** fsyncs per minute of a node that renews a Lease every 10 s and does nothing else. */
  readonly idleFsyncsPerMinute: number;
  /** What the whole process grew by, MiB. */
  readonly rssMiB: number;
}

/** Measures the datastore on the disk of the temporary directory; `seconds` is how long each kind of write runs. */
async function measureDatastore(seconds = 2): Promise<DatastoreFigures> {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-bench-'));
  try {
    const rss = process.memoryUsage.rss();
    const rawCommitsPerSecond = await measureRaw(join(dir, 'raw.db'), seconds);
    const path = join(dir, 'state.db');
    let store = await openLibsqlDatastore({ ...testOptions, clock: systemClock, path });
    const writes = [];
    let delays: number[] = [];
    for (const writers of [1, 8, 32, 200]) {
      const timer = timerDelays();
      writes.push({ writers, ...(await measureWrites(store, writers, seconds)) });
      delays = timer.stop();
    }
    const rssMiB = (process.memoryUsage.rss() - rss) / 1024 / 1024;
    await store.close();
    rmSync(path);
    store = await openLibsqlDatastore({ ...testOptions, path });
    const reads = await measureReads(store);
    await store.close();
    const begun = performance.now();
    store = await openLibsqlDatastore({ ...testOptions, path });
    const openMs = performance.now() - begun;
    await store.close();
    const idleFsyncsPerMinute = await measureIdle(join(dir, 'idle.db'));
    const mainThreadDelayMs = delays.sort((a, b) => a - b)[Math.floor(delays.length * 0.99)] ?? 0;
    return { rawCommitsPerSecond, writes, mainThreadDelayMs, ...reads, openMs, idleFsyncsPerMinute, rssMiB };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function measureRaw(path: string, seconds: number): Promise<number> {
  const client = createClient({ url: `file:${path}`, concurrency: 1 });
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL']) await client.execute(`PRAGMA ${pragma}`);
  await client.execute('CREATE TABLE log (id INTEGER PRIMARY KEY, key TEXT, value BLOB)');
  const value = new Uint8Array(VALUE_BYTES).fill(1);
  const begun = performance.now();
  let commits = 0;
  while (performance.now() - begun < seconds * 1000) {
    commits++;
    const insert = { sql: 'INSERT INTO log VALUES (?, ?, ?)', args: [commits, `/key/${commits}`, value] };
    await client.batch([insert], 'write');
  }
  const rate = (commits * 1000) / (performance.now() - begun);
  client.close();
  return rate;
}

async function measureWrites(
  store: LibsqlDatastore,
  writers: number,
  seconds: number,
): Promise<{ perSecond: number; perCommit: number }> {
  const value = new Uint8Array(VALUE_BYTES).fill(1);
  const commitsBefore = (await store.stats()).commits;
  const begun = performance.now();
  let made = 0;
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let n = 0; performance.now() - begun < seconds * 1000; n++) {
        const result = await store.create(`/registry/pods/${writers}-${writer}/${n}`, value);
        if (result.ok) made++;
      }
    }),
  );
  const perSecond = (made * 1000) / (performance.now() - begun);
  return { perSecond, perCommit: made / ((await store.stats()).commits - commitsBefore) };
}

async function measureReads(store: LibsqlDatastore): Promise<{ getsPerSecond: number; listMs: number }> {
  const value = new Uint8Array(VALUE_BYTES).fill(1);
  for (let n = 0; n < OBJECTS; n += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, index) => store.create(`/registry/pods/${n + index}`, value)));
  }
  let begun = performance.now();
  for (let n = 0; n < 2000; n++) await store.get(`/registry/pods/${(n * 7) % OBJECTS}`);
  const getsPerSecond = 2_000_000 / (performance.now() - begun);
  begun = performance.now();
  await store.list('/registry/pods/');
  return { getsPerSecond, listMs: performance.now() - begun };
}

/** An hour of a node's Lease, on a clock that is moved by hand. */
async function measureIdle(path: string): Promise<number> {
  const clock = new FakeClock();
  const store = await openLibsqlDatastore({ ...testOptions, clock, path });
  const lease = new Uint8Array(500).fill(1);
  const durability = 'lazy';
  const created = await store.create('/registry/leases/kube-node-lease/node', lease);
  let revision = created.ok ? created.revision : 0;
  const before = (await store.stats()).commits;
  for (let second = 0; second < 3600; second += 10) {
    await clock.advance(10_000);
    const renewed = await store.update('/registry/leases/kube-node-lease/node', lease, revision, { durability });
    if (renewed.ok) revision = renewed.revision;
  }
  const { commits } = await store.stats();
  await store.close();
  return (commits - before) / 60;
}

/** How late a 1 ms timer fires, ms. */
function timerDelays(): { stop(): number[] } {
  const delays: number[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    delays.push(Math.max(0, now - last - 1));
    last = now;
  }, 1);
  return {
    stop() {
      clearInterval(timer);
      return delays;
    },
  };
}

/** What the datastore does on this disk, and what an idle node writes. */
export const benchmark: Benchmark = {
  name: 'Datastore',
  async run() {
    const figures = await measureDatastore();
    const rate = (value: number): string => `${Math.round(value)}/s`;
    return [
      { what: 'libSQL alone, one row per commit', measured: rate(figures.rawCommitsPerSecond) },
      ...figures.writes.map(({ writers, perSecond, perCommit }) => ({
        what: `durable creates, ${writers} writers`,
        measured: `${rate(perSecond)}, ${perCommit.toFixed(1)} per commit`,
      })),
      { what: 'lateness of timers at 200 writers, p99', measured: `${figures.mainThreadDelayMs.toFixed(1)} ms` },
      { what: 'gets', measured: rate(figures.getsPerSecond) },
      { what: `list of ${OBJECTS} objects`, measured: `${figures.listMs.toFixed(0)} ms` },
      { what: `opening with ${OBJECTS} objects`, measured: `${figures.openMs.toFixed(0)} ms` },
      {
        what: 'fsyncs of a node that only renews its Lease',
        measured: `${(figures.idleFsyncsPerMinute / 6).toFixed(2)} per 10 s`,
        target: '≤ 1 per 10 s',
      },
      { what: 'growth of the process', measured: `${figures.rssMiB.toFixed(0)} MiB` },
    ];
  },
};
