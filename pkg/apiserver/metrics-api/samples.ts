import { parseMetricsText } from '../../base/metrics-text.ts';

/** What something had used until a moment, and held then. */
export interface Sample {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** CPU time, in seconds since the start. */
  readonly cpuSeconds: number;
  /** Working set, bytes. */
  readonly memory: number;
  /** Of containers; milliseconds since the epoch. */
  readonly startedAt?: number | undefined;
}

/** What one node's `/metrics/resource` said. */
export interface NodeScrape {
  readonly node: Sample | undefined;
  /** By `namespace/pod`, then by container. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, Sample>>;
}

/** CPU use as a rate over `windowMs` that ended `at`. */
export interface Usage {
  readonly at: number;
  readonly windowMs: number;
  /** Billionths of a CPU. */
  readonly nanoCores: number;
  /** Bytes. */
  readonly memory: number;
}

/** A container that began after the last look has been using the CPU since its start; over less time a rate says nothing. */
const SHORTEST_LIFE_MS = 2_000;

type Draft = { -readonly [Field in keyof Sample]?: Sample[Field] };

const METRICS: Readonly<Record<string, keyof Sample>> = {
  container_cpu_usage_seconds_total: 'cpuSeconds',
  container_memory_working_set_bytes: 'memory',
  container_start_time_seconds: 'startedAt',
  node_cpu_usage_seconds_total: 'cpuSeconds',
  node_memory_working_set_bytes: 'memory',
};

/** Reads a kubelet's `/metrics/resource`, which was fetched at `now`. */
export function parseScrape(text: string, now: number): NodeScrape {
  const node: Draft = {};
  const pods = new Map<string, Map<string, Draft>>();
  for (const { name, labels, value, at } of parseMetricsText(text, (metric) => metric in METRICS)) {
    const field = METRICS[name];
    if (field === undefined) continue;
    let draft = node;
    if (name.startsWith('container_')) {
      const key = `${labels['namespace']}/${labels['pod']}`;
      const containers = pods.get(key) ?? new Map<string, Draft>();
      pods.set(key, containers);
      draft = containers.get(labels['container'] ?? '') ?? {};
      containers.set(labels['container'] ?? '', draft);
    }
    draft[field] = field === 'startedAt' ? value * 1000 : value;
    // The rate is over the time between two readings of the CPU.
    if (field === 'cpuSeconds') draft.at = at ?? now;
  }
  return {
    node: complete(node),
    pods: new Map(
      [...pods].map(([key, containers]) => [
        key,
        new Map(
          [...containers].flatMap(([name, draft]) => {
            const sample = complete(draft);
            return sample === undefined ? [] : [[name, sample] as const];
          }),
        ),
      ]),
    ),
  };
}

/** A sample with both numbers; one without the other is none. */
function complete({ at, cpuSeconds, memory, startedAt }: Draft): Sample | undefined {
  if (at === undefined || cpuSeconds === undefined || memory === undefined) return undefined;
  return { at, cpuSeconds, memory, startedAt };
}

/** What was used from one sample to the next; undefined when the two do not make a rate. */
export function usageBetween(before: Sample | undefined, now: Sample): Usage | undefined {
  const since = isSameLife(before, now) ? before : beginningOf(now);
  if (since === undefined || now.at <= since.at) return undefined;
  const windowMs = now.at - since.at;
  const nanoCores = Math.max(0, Math.round(((now.cpuSeconds - since.cpuSeconds) * 1e12) / windowMs));
  return { at: now.at, windowMs, nanoCores, memory: now.memory };
}

function isSameLife(before: Sample | undefined, now: Sample): before is Sample {
  if (before === undefined || now.cpuSeconds < before.cpuSeconds) return false;
  return now.startedAt === undefined || now.startedAt <= before.at;
}

function beginningOf(now: Sample): Sample | undefined {
  if (now.startedAt === undefined || now.at - now.startedAt < SHORTEST_LIFE_MS) return undefined;
  return { at: now.startedAt, cpuSeconds: 0, memory: 0 };
}

/** The last two scrapes of each node, and what was used between them. */
export class UsageWindow {
  #before = new Map<string, NodeScrape>();
  #now = new Map<string, NodeScrape>();

  /** Takes the next scrape of every node; nodes that did not answer have none. */
  add(scrapes: ReadonlyMap<string, NodeScrape>): void {
    this.#before = this.#now;
    this.#now = new Map(scrapes);
  }

  /** Whether the last two scrapes tell nothing of any node. */
  get isEmpty(): boolean {
    return ![...this.#now.keys()].some((name) => this.node(name) !== undefined);
  }

  clear(): void {
    this.#before.clear();
    this.#now.clear();
  }

  node(name: string): Usage | undefined {
    const now = this.#now.get(name)?.node;
    return now && usageBetween(this.#before.get(name)?.node, now);
  }

  /** The use of each container of a Pod on `node`; undefined unless it is known of every running one. */
  pod(node: string, key: string): ReadonlyMap<string, Usage> | undefined {
    const containers = this.#now.get(node)?.pods.get(key);
    if (containers === undefined || containers.size === 0) return undefined;
    const usages = new Map<string, Usage>();
    for (const [name, sample] of containers) {
      const usage = usageBetween(this.#before.get(node)?.pods.get(key)?.get(name), sample);
      if (usage === undefined) return undefined;
      usages.set(name, usage);
    }
    return usages;
  }
}
