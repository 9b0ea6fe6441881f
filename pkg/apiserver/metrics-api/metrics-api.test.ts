import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { parseScrape, UsageWindow, usageBetween } from './samples.ts';
import { MetricsScraper } from './scraper.ts';

const container = (cpu: number, memory: number, at: number, started = 0): string => `
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="c",namespace="n",pod="p"} ${cpu} ${at}
container_memory_working_set_bytes{container="c",namespace="n",pod="p"} ${memory} ${at}
container_start_time_seconds{container="c",namespace="n",pod="p"} ${started / 1000}
node_cpu_usage_seconds_total ${cpu * 2} ${at}
node_memory_working_set_bytes ${memory * 2} ${at}
other_metric{container="c"} 1
`;

describe('samples', () => {
  const sample = (at: number, cpuSeconds: number, startedAt?: number) => ({ at, cpuSeconds, memory: 5, startedAt });

  test('a rate is over the time between two readings', () => {
    const usage = usageBetween(sample(10_000, 1), sample(12_000, 1.5));
    assert.deepEqual(usage, { at: 12_000, windowMs: 2000, nanoCores: 250_000_000, memory: 5 });
  });

  test('a container that began in between has used the CPU since its start', () => {
    assert.equal(usageBetween(undefined, sample(12_000, 1, 8000))?.nanoCores, 250_000_000);
    assert.equal(usageBetween(sample(10_000, 9, 0), sample(14_000, 1, 10_500))?.windowMs, 3500, 'restarted');
    assert.equal(usageBetween(undefined, sample(12_000, 1, 11_000)), undefined, 'too young');
    assert.equal(usageBetween(undefined, sample(12_000, 1)), undefined, 'a node has no start');
    assert.equal(usageBetween(sample(12_000, 1), sample(12_000, 1)), undefined, 'the same reading');
  });

  test('a Pod is known when all its containers are', () => {
    const window = new UsageWindow();
    const scrape = (at: number, cpu: number): Map<string, ReturnType<typeof parseScrape>> =>
      new Map([['vm', parseScrape(container(cpu, 100, at), at)]]);
    window.add(scrape(10_000, 1));
    window.add(scrape(20_000, 2));
    assert.deepEqual(window.pod('vm', 'n/p')?.get('c'), {
      at: 20_000,
      windowMs: 10_000,
      nanoCores: 100_000_000,
      memory: 100,
    });
    assert.equal(window.node('vm')?.nanoCores, 200_000_000);
    assert.equal(window.pod('vm', 'n/other'), undefined);
    assert.equal(window.pod('elsewhere', 'n/p'), undefined);
    window.add(new Map());
    assert.equal(window.node('vm'), undefined, 'the node did not answer');
  });
});

describe('the scraper', () => {
  function world() {
    const clock = new FakeClock();
    let fetched = 0;
    const scraper = new MetricsScraper({
      nodes: () => ['vm', 'broken'],
      fetch: async (node) => {
        if (node === 'broken') throw new Error('does not answer');
        fetched++;
        return container(clock.now() / 1000, 100, clock.now());
      },
      clock,
      log: silentLogger,
    });
    return { clock, scraper, fetched: () => fetched };
  }

  test('asks nobody while nobody asks; the first answer takes two looks', async () => {
    const { clock, scraper, fetched } = world();
    await clock.advance(60_000);
    assert.equal(fetched(), 0);
    const asked = scraper.usage();
    await clock.advance(1000);
    const usage = await asked;
    assert.equal(fetched(), 2);
    assert.equal(usage.node('vm')?.nanoCores, 2_000_000_000);
    assert.equal(usage.node('broken'), undefined);
    scraper.stop();
  });

  test('begins anew with each question until a kubelet has answered', async () => {
    const clock = new FakeClock();
    let up = false;
    const scraper = new MetricsScraper({
      nodes: () => ['vm'],
      fetch: async () => {
        if (!up) throw new Error('not up yet');
        return container(clock.now() / 1000, 100, clock.now());
      },
      clock,
      log: silentLogger,
    });
    const early = scraper.usage();
    await clock.advance(1000);
    assert.equal((await early).node('vm'), undefined);
    up = true;
    const late = scraper.usage();
    await clock.advance(1000);
    assert.equal((await late).node('vm')?.windowMs, 1000);
    scraper.stop();
  });

  test('looks every 15 seconds for five minutes after the last question, then forgets', async () => {
    const { clock, scraper, fetched } = world();
    const asked = scraper.usage();
    await clock.advance(1000);
    await asked;
    await clock.advance(30_000);
    assert.equal(fetched(), 4);
    assert.equal((await scraper.usage()).node('vm')?.windowMs, 15_000);
    await clock.advance(10 * 60_000);
    const settled = fetched();
    assert.ok(settled < 26, `${settled} looks`);
    await clock.advance(10 * 60_000);
    assert.equal(fetched(), settled);
    scraper.stop();
  });
});
