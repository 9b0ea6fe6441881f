import { type Clock, sleep } from '../../base/clock.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { type NodeScrape, parseScrape, UsageWindow } from './samples.ts';

/** Upstream's metrics-server as k3s sets it: --metric-resolution=15s. */
const RESOLUTION_MS = 15_000;
/** Whoever asks first waits this long for the second look a rate needs. */
const FIRST_WINDOW_MS = 1_000;
/** When nobody has asked for so long, nobody is looked at any more. */
const IDLE_MS = 5 * 60_000;

export interface ScraperOptions {
  /** The names of the nodes there are. */
  readonly nodes: () => readonly string[];
  /** The text of a node's `/metrics/resource`. */
  readonly fetch: (node: string, signal: AbortSignal) => Promise<string>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Looks at all kubelets every 15 seconds while somebody asks for metrics: `kubectl top`, an autoscaler. */
export class MetricsScraper {
  readonly #options: ScraperOptions;
  readonly #window = new UsageWindow();
  readonly #stopping = new AbortController();
  #askedAt = 0;
  #first: Promise<void> | undefined;

  constructor(options: ScraperOptions) {
    this.#options = options;
  }

  /** What is used now. The first to ask after a while waits a second for it. */
  async usage(): Promise<UsageWindow> {
    this.#askedAt = this.#options.clock.now();
    this.#first ??= this.#begin();
    await this.#first;
    return this.#window;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #begin(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    await this.#scrape();
    await sleep(clock, FIRST_WINDOW_MS, signal);
    await this.#scrape();
    // Autoscalers ask before the first kubelet is up: the next to ask shall not have to wait for the next look.
    if (this.#window.isEmpty) {
      this.#first = undefined;
      return;
    }
    void this.#goOn().catch((error: unknown) => log.error('metrics are not looked up', { error: errorText(error) }));
  }

  async #goOn(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      await sleep(clock, RESOLUTION_MS, signal);
      if (signal.aborted) return;
      if (clock.now() - this.#askedAt >= IDLE_MS) {
        this.#first = undefined;
        this.#window.clear();
        return;
      }
      await this.#scrape();
    }
  }

  async #scrape(): Promise<void> {
    const { nodes, fetch, clock, log } = this.#options;
    const scrapes = new Map<string, NodeScrape>();
    await Promise.all(
      nodes().map(async (node) => {
        try {
          const text = await fetch(node, this.#stopping.signal);
          scrapes.set(node, parseScrape(text, clock.now()));
        } catch (error) {
          log.debug('no metrics of a node', { node, error: errorText(error) });
        }
      }),
    );
    this.#window.add(scrapes);
  }
}
